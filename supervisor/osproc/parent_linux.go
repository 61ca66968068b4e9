package osproc

import (
	"os/exec"
	"syscall"
)

// EndsWithParent: this system can end a process with the one that started it.
const EndsWithParent = true

// EndWithParent has the kernel send sig to cmd's process, and to no other that it starts, when the
// *thread* that starts it ends (PR_SET_PDEATHSIG): the caller keeps its goroutine locked to a
// thread that lives as long as cmd does.
func EndWithParent(cmd *exec.Cmd, sig syscall.Signal) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = sig
}
