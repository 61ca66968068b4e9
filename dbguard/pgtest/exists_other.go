//go:build unix && !linux

package pgtest

import "syscall"

// processExists counts a zombie as alive.
func processExists(pid int) bool { return syscall.Kill(pid, 0) != syscall.ESRCH }
