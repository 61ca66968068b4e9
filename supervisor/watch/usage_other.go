//go:build !linux

package watch

// InUse returns zeros: this system has no such limits.
func InUse() (watches, watchers Usage) { return Usage{}, Usage{} }
