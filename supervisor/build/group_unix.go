//go:build unix

package build

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// group is the process group of one build.
//
// Its leader is a shell that does nothing but read a pipe of ours. When devguard
// dies, however it dies, the read ends and the shell kills the group and itself:
// a parent-death signal would reach the go command only, not the compilers that
// it started, and does not exist outside Linux. That the shell leads the group
// also keeps the group's number from being given to someone else while we may
// still kill it.
//
// Everything started inherits the write end of a second pipe, the witness; its
// end of file is the sign that all are gone. kill(-pgid, 0) would not do: it also
// counts the dead that nobody has collected, which under a PID 1 that does not
// reap is for ever.
type group struct {
	leader *exec.Cmd
	leash  *os.File // its end of file tells the leader that we are gone
	read   *os.File // witness
	write  *os.File
}

// newGroup costs the start of one shell, about a millisecond.
func newGroup() (_ *group, err error) {
	g := &group{leader: exec.Command("/bin/sh", "-c", "read _; kill -9 0")}
	end, leash, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer end.Close()
	g.leash = leash
	if g.read, g.write, err = os.Pipe(); err != nil {
		leash.Close()
		return nil, err
	}
	g.leader.Stdin = end
	g.leader.Dir = "/" // it must not hold a directory that the user wants to remove
	g.leader.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := g.leader.Start(); err != nil {
		g.close()
		return nil, err
	}
	return g, nil
}

// start starts cmd in the group.
func (g *group) start(cmd *exec.Cmd) error {
	cmd.ExtraFiles = []*os.File{g.write}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: g.leader.Process.Pid}
	return cmd.Start()
}

func (g *group) run(cmd *exec.Cmd) error {
	if err := g.start(cmd); err != nil {
		return err
	}
	return cmd.Wait()
}

// kill kills every process of the group. It fits exec.Cmd.Cancel, where
// os.ErrProcessDone says that there was nothing left to kill. Of a group that has
// only uncollected dead left, macOS says EPERM.
func (g *group) kill() error {
	err := syscall.Kill(-g.leader.Process.Pid, syscall.SIGKILL)
	if errors.Is(err, syscall.ESRCH) || errors.Is(err, syscall.EPERM) {
		return os.ErrProcessDone
	}
	return err
}

// end kills what is left and returns when all are gone. Whoever holds the
// witness for longer than killWait has left the group (the go command's
// telemetry uploader does, in a session of its own, once a day) and is not waited
// for.
func (g *group) end() {
	defer g.close()
	g.kill()
	g.leader.Wait()
	g.write.Close()
	g.read.SetReadDeadline(time.Now().Add(killWait))
	g.read.Read(make([]byte, 1))
}

func (g *group) close() {
	g.leash.Close()
	g.write.Close()
	g.read.Close()
}
