//go:build unix

package embedded

import "syscall"

func stopProcess(pid int) { signalPid(pid, syscall.SIGSTOP) }

func killProcess(pid int) error { return syscall.Kill(pid, syscall.SIGKILL) }
