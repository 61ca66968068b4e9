//go:build !linux

package graph

import "syscall"

// die: only Linux can end a process with the one that started it.
func die() *syscall.SysProcAttr { return nil }
