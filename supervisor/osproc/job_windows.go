package osproc

import "os"

// NotifyJobStop does nothing: a console has no Ctrl-Z of this kind.
func NotifyJobStop(chan<- os.Signal) {}

// IsJobStop is always false.
func IsJobStop(os.Signal) bool { return false }

// Apart runs fork.
func Apart(fork func() error) error { return fork() }

// StopOwnGroup is never called.
func StopOwnGroup() {}

// StopSelf is never called.
func StopSelf() {}

// Continuable is always false.
func Continuable() bool { return false }
