package front

import (
	"os"
	"syscall"
)

// apart has the process in a group of its own: Ctrl-C does not reach it.
var apart = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}

func program() (string, error) { return os.Executable() }
