//go:build unix

package pgtest

import "syscall"

// processExists counts a zombie as alive; a killed server's sessions are
// reaped by init.
func processExists(pid int) bool { return syscall.Kill(pid, 0) != syscall.ESRCH }
