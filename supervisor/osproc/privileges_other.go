//go:build !linux

package osproc

// Privileges returns "": only the filter takes privileges away, and that is Linux's.
func Privileges(string) string { return "" }
