package front

import "syscall"

// apart has the process in a group of its own: Ctrl-C does not reach it.
var apart = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
