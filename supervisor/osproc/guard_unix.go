//go:build unix

package osproc

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// ErrNoGuard means that the guard could not be started, and so nothing was.
var ErrNoGuard = errors.New("cannot start the guard that ends what runs if devguard is killed")

// guard is a shell that waits for the end of a pipe, which only our death brings, and then kills a
// process group. A parent-death signal would not do: it reaches one process, not those that it
// started, and there is none outside Linux.
type guard struct {
	shell *exec.Cmd
	pipe  *os.File // write end; closed by hand only once the shell is gone
}

// startGuard costs the start of one shell, about a millisecond. The script reads the pipe on its
// stdin.
func startGuard(script string, attr *syscall.SysProcAttr) (*guard, error) {
	end, pipe, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	defer end.Close()
	g := &guard{shell: exec.Command(shell(), "-c", script), pipe: pipe}
	g.shell.Stdin = end
	g.shell.Dir = "/" // it must not hold a directory that the user wants to remove
	g.shell.SysProcAttr = attr
	if err := StartApart(g.shell); err != nil {
		pipe.Close()
		return nil, fmt.Errorf("%w: %w", ErrNoGuard, err)
	}
	return g, nil
}

// release ends the guard, before the end of file that it waits for.
func (g *guard) release() {
	_ = g.shell.Process.Kill() // fails when it has ended already
	_ = g.shell.Wait()         // its status says nothing: it was killed
	g.pipe.Close()
}

// shell is /bin/sh; where there is none (Termux), the one on PATH.
func shell() string {
	const usual = "/bin/sh"
	if _, err := os.Stat(usual); err == nil {
		return usual
	}
	if found, err := exec.LookPath("sh"); err == nil {
		return found
	}
	return usual // Start says that it is not there
}
