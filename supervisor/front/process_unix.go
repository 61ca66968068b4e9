//go:build unix

package front

import "syscall"

// apart has the process in a group of its own: Ctrl-C at a terminal does not reach it.
var apart = &syscall.SysProcAttr{Setpgid: true}
