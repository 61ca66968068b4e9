//go:build !linux && !darwin

package statedir

import "github.com/devguard/devguard/supervisor/osproc"

// startTime: processes are not known by more than a pid here, so none is
// recorded and none is ended.
func startTime(osproc.Process) string { return "" }

func find([]record, owner) []Leftover { return nil }

func noexec(string) bool { return false }
