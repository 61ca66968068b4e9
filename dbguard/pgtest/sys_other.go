//go:build !linux

package pgtest

import (
	"os/exec"
	"syscall"
)

// stopSignal is immediate shutdown: the data is thrown away.
const (
	stopSignal    = syscall.SIGQUIT
	restartSignal = syscall.SIGINT
)

const endsWithParent = false

// endWithParent has no counterpart here: a killed test binary leaves its servers.
func endWithParent(*exec.Cmd, syscall.Signal) {}
