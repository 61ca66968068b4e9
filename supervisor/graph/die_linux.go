package graph

import "syscall"

// die ends a go command with the thread that started it, so with devguard.
func die() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
