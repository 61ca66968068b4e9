//go:build !linux && !darwin

package osproc

// Program is not known here.
func Program(int) string { return "" }
