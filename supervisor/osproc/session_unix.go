//go:build unix

package osproc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// Session is a command that leads a session and a process group of its own, so that it has no
// terminal, and does not outlive this process. What it moves to another session escapes.
//
// The group is signalled by its number after its leader was waited for, when the number could in
// theory name somebody else's: but a kernel gives no number out again while it names a group with
// members, and an empty group's number comes round only after all the others, within the moment
// between Wait and the signal.
type Session struct {
	group int
	guard *guard
}

// guardScript gets the group's number on a line. An empty one means that we died
// before the command started.
const guardScript = `read g || exit; read x; kill -KILL "-$g"`

// gateScript holds the command back until its guard knows of it; the end of file
// means that we died before.
const gateScript = `read -r _ <&3 || exit 1; exec 3<&-; exec "$@"`

// StartSession starts cmd. The guard is there first and knows the group before
// the command does anything: if this process is killed in between, nothing is left.
// The error is ErrNoGuard when there is no shell to guard with. The caller keeps
// its goroutine locked to its thread until cmd has ended (see EndWithParent), waits
// for cmd, and then calls Release. cmd must not have ExtraFiles.
func StartSession(cmd *exec.Cmd) (*Session, error) {
	guard, err := startGuard(guardScript, &syscall.SysProcAttr{Setsid: true})
	if err != nil {
		return nil, err
	}
	program := cmd.Path
	open, shut, err := gated(cmd)
	if err != nil {
		guard.release()
		return nil, err
	}
	defer shut()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	EndWithParent(cmd, syscall.SIGKILL)
	if err := cmd.Start(); err != nil {
		guard.release()
		var path *fs.PathError
		if errors.As(err, &path) {
			path.Path = program // what the user knows, not the shell before it
		}
		return nil, err
	}
	s := &Session{group: cmd.Process.Pid, guard: guard}
	// A failure means that the guard is gone, killed by somebody; the command is
	// of more use than its guard.
	_, _ = fmt.Fprintln(guard.pipe, s.group)
	_, _ = fmt.Fprintln(open) // fails only if the command was killed already
	return s, nil
}

// gated makes cmd wait for a line on the pipe, whose write end it returns.
func gated(cmd *exec.Cmd) (open *os.File, shut func(), err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("make a pipe: %w", err)
	}
	cmd.Args = append([]string{"sh", "-c", gateScript, "sh", cmd.Path}, cmd.Args[1:]...)
	cmd.Path, cmd.ExtraFiles = shell(), []*os.File{r}
	return w, func() { r.Close(); w.Close() }, nil
}

// Terminate sends SIGTERM to the group.
func (s *Session) Terminate() { _ = unix.Kill(-s.group, unix.SIGTERM) }

// Kill sends SIGKILL to the group.
func (s *Session) Kill() { _ = unix.Kill(-s.group, unix.SIGKILL) }

// Alive reports whether a process of the group runs.
func (s *Session) Alive() bool { return GroupAlive(s.group) }

// Release ends the guard. The group is on its own then.
func (s *Session) Release() { s.guard.release() }
