package osproc

import (
	"errors"
	"os"
	"os/exec"
)

// ErrNoGuard is never returned here: there is no guard on Windows.
var ErrNoGuard = errors.New("no guard")

// Session is the command's own process: Windows has no process groups that can be
// ended, and a job object is not made yet.
type Session struct{ process *os.Process }

// StartSession starts cmd.
func StartSession(cmd *exec.Cmd) (*Session, error) {
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &Session{cmd.Process}, nil
}

// Terminate ends the process: there is no gentler way.
func (s *Session) Terminate() { _ = s.process.Kill() }

// Kill ends the process.
func (s *Session) Kill() { _ = s.process.Kill() }

// Alive is asked only once the process has ended.
func (s *Session) Alive() bool { return false }

// Release does nothing.
func (s *Session) Release() {}
