//go:build unix

package osproc

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Group runs commands in one process group that dies with this process, and knows when all of it is
// gone. Its methods may be called from several goroutines, Close after all others.
//
// Its guard leads the group. That also keeps the group's number from being given
// to someone else while we may still kill it.
//
// Everything started inherits the write end of a pipe, the witness; its end of
// file is the sign that all are gone. kill(-pgid, 0) would not do: it also
// counts the dead that nobody has collected, which under a PID 1 that does not
// reap is for ever.
type Group struct {
	leader      *guard
	read, write *os.File // witness
}

// NewGroup starts the guard.
func NewGroup() (*Group, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	leader, err := startGuard("read _; kill -9 0", &syscall.SysProcAttr{Setpgid: true})
	if err != nil {
		read.Close()
		write.Close()
		return nil, err
	}
	return &Group{leader: leader, read: read, write: write}, nil
}

func (g *Group) pgid() int { return g.leader.shell.Process.Pid }

// Run runs cmd in the group, as the function Run does, with SIGTSTP blocked (see Apart). It sets
// cmd.SysProcAttr and cmd.ExtraFiles.
func (g *Group) Run(cmd *exec.Cmd) error {
	cmd.ExtraFiles = []*os.File{g.write}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: g.pgid()}
	if err := StartApart(cmd); err != nil {
		return err
	}
	return endedWell(cmd.Wait())
}

// Kill kills every process of the group. It fits exec.Cmd.Cancel, where
// os.ErrProcessDone says that there was nothing left to kill. Of a group that has
// only uncollected dead left, macOS says EPERM.
func (g *Group) Kill() error {
	err := syscall.Kill(-g.pgid(), syscall.SIGKILL)
	if errors.Is(err, syscall.ESRCH) || errors.Is(err, syscall.EPERM) {
		return os.ErrProcessDone
	}
	return err
}

// Close kills what is left and returns when all are gone. Whoever holds the
// witness for longer than limit has left the group (the go command's telemetry
// uploader does, in a session of its own, once a day) and is not waited for.
func (g *Group) Close(limit time.Duration) {
	_ = g.Kill()
	g.leader.release()
	g.write.Close()
	_ = g.read.SetReadDeadline(time.Now().Add(limit))
	_, _ = g.read.Read(make([]byte, 1)) // the end of file; nothing is ever written
	g.read.Close()
}
