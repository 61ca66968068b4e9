//go:build unix

package embedded

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

const exeSuffix = ""

// PostgreSQL's signals: fast ends the sessions and writes a checkpoint, immediate leaves the rest
// to crash recovery.
const (
	fastShutdown      = syscall.SIGINT
	immediateShutdown = syscall.SIGQUIT
)

func supported() error { return nil }

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

// detach keeps the terminal's Ctrl-C and hang-up away from cmd.
func detach(cmd *exec.Cmd) { attr(cmd).Setsid = true }

// flock takes a lock that lasts until every copy of f's open file is closed. Without wait, ok is
// false when somebody else holds it.
func flock(f *os.File, exclusive, wait bool) (ok bool, err error) {
	how := syscall.LOCK_SH
	if exclusive {
		how = syscall.LOCK_EX
	}
	if !wait {
		how |= syscall.LOCK_NB
	}
	for {
		err := syscall.Flock(int(f.Fd()), how)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, syscall.EWOULDBLOCK):
			return false, nil
		case !errors.Is(err, syscall.EINTR):
			return false, &os.PathError{Op: "flock", Path: f.Name(), Err: err}
		}
	}
}

// closeOnExec keeps an inherited descriptor from children of this process.
func closeOnExec(f *os.File) { syscall.CloseOnExec(int(f.Fd())) }

// owner returns the uid that a file belongs to.
func owner(info os.FileInfo) int {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid)
	}
	return -1
}

func signalPid(pid int, sig syscall.Signal) { _ = syscall.Kill(pid, sig) }
