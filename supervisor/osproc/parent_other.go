//go:build !linux

package osproc

import (
	"os/exec"
	"syscall"
)

// EndsWithParent: this system cannot end a process with the one that started it.
const EndsWithParent = false

// EndWithParent does nothing here.
func EndWithParent(*exec.Cmd, syscall.Signal) {}
