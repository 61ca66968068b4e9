package pgtest

import (
	"os/exec"
	"syscall"
)

// stopSignal is immediate shutdown: the data is thrown away.
const (
	stopSignal    = syscall.SIGQUIT
	restartSignal = syscall.SIGINT
)

const endsWithParent = true

// endWithParent asks the kernel to send sig when the thread that starts cmd ends.
func endWithParent(cmd *exec.Cmd, sig syscall.Signal) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = sig
}
