//go:build unix && !linux

package osproc

// ignoresJobStop: the Go runtime does not know, and there is no /proc that does.
func ignoresJobStop() bool { return false }

// Apart runs fork: golang.org/x/sys has no signal mask for this system, whose forks are no vfork either, so that
// a child that Ctrl-Z has stopped on the way to its group keeps one goroutine waiting, not devguard.
func Apart[Child any](fork func() (Child, error)) (Child, error) { return fork() }

// TakeJobStop does nothing.
func TakeJobStop() {}
