//go:build unix && !linux

package osproc

// ignoresJobStop: the Go runtime does not know, and there is no /proc that does.
func ignoresJobStop() bool { return false }
