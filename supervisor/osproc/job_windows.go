package osproc

import (
	"os"
	"os/exec"
)

// NotifyJobStop does nothing: a console has no Ctrl-Z of this kind.
func NotifyJobStop(chan<- os.Signal) {}

// IsJobStop is always false.
func IsJobStop(os.Signal) bool { return false }

// StartApart is cmd.Start.
func StartApart(cmd *exec.Cmd) error { return cmd.Start() }

// StopOwnGroup is never called.
func StopOwnGroup() {}

// StopSelf is never called.
func StopSelf() {}

// Continuable is always false.
func Continuable() bool { return false }
