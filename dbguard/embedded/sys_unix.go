//go:build unix

package embedded

import (
	"os/exec"
	"syscall"
)

const exeSuffix = ""

func attr(cmd *exec.Cmd) *syscall.SysProcAttr {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	return cmd.SysProcAttr
}

// setCredential drops root's supplementary groups too.
func setCredential(cmd *exec.Cmd, a *Account) {
	attr(cmd).Credential = &syscall.Credential{Uid: uint32(a.UID), Gid: uint32(a.GID)}
}
