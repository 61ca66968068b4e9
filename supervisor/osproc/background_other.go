//go:build !linux

package osproc

// Background calls f. Elsewhere than on Linux its processes are like any others.
func Background(f func()) { f() }
