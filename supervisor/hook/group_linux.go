package hook

import "syscall"

// attributes of the hook's process. The parent-death signal reaches it alone
// and is not inherited: the rest of the group is the guard's.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
}
