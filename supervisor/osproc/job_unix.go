//go:build unix

package osproc

import (
	"os"
	"os/exec"
	"os/signal"

	"golang.org/x/sys/unix"
)

// NotifyJobStop relays SIGTSTP, which Ctrl-Z sends, to c, as signal.Notify does; not when whoever
// started us ignores it. Who gets it stops this process by StopSelf, or there is no stop.
func NotifyJobStop(c chan<- os.Signal) {
	if !ignoresJobStop() {
		signal.Notify(c, unix.SIGTSTP)
	}
}

// IsJobStop reports whether sig is the one that Ctrl-Z sends.
func IsJobStop(sig os.Signal) bool { return sig == unix.SIGTSTP }

// StopOwnGroup sends SIGTSTP to the group of this process, as the terminal would for Ctrl-Z.
func StopOwnGroup() { _ = unix.Kill(0, unix.SIGTSTP) }

// StopSelf stops this process until somebody continues it (fg, bg).
func StopSelf() {
	continued := make(chan os.Signal, 1)
	signal.Notify(continued, unix.SIGCONT)
	defer signal.Stop(continued)
	// SIGSTOP does what SIGTSTP would have done, and cannot be caught. It is for the process: this
	// thread may run on for a moment.
	_ = unix.Kill(unix.Getpid(), unix.SIGSTOP)
	<-continued
}

// StartApart is cmd.Start of a command in another process group, as Apart does it. It continues the command: a
// Ctrl-Z that came too early waits behind the block, and would stop for good a program that takes the signal
// again. SIGCONT drops it (POSIX, 2.4.1).
func StartApart(cmd *exec.Cmd) error {
	child, err := Apart(func() (*os.Process, error) { err := cmd.Start(); return cmd.Process, err })
	if err == nil {
		_ = child.Signal(unix.SIGCONT) // fails when it has ended
	}
	return err
}

// Continuable reports whether somebody is there who could continue this process: a shell. That is
// what POSIX asks before Ctrl-Z stops a group: a member has a parent in another group of the same
// session. Otherwise (docker run -it, ssh -t HOST devguard) the group is orphaned, and Ctrl-Z does
// nothing to it.
func Continuable() bool {
	own, session := unix.Getpgrp(), sessionOf(0)
	for _, p := range Processes() {
		if p.Group != own || p.PPID == 0 { // 0: the parent is outside of our pid namespace
			continue
		}
		if parent, ok := Look(p.PPID); ok && parent.Group != own && sessionOf(p.PPID) == session {
			return true
		}
	}
	return false
}

// sessionOf is -1 when there is no such process. 0 is this one.
func sessionOf(pid int) int {
	session, err := unix.Getsid(pid)
	if err != nil {
		return -1
	}
	return session
}
