package hook

import (
	"errors"
	"os"
	"os/exec"
)

// errNoGuard is never returned here: there is no guard on Windows.
var errNoGuard = errors.New("no guard")

// group is the hook's own process: Windows has no process groups that can be
// ended, and a job object is not made yet.
type group struct{ process *os.Process }

func (g group) terminate()  { _ = g.process.Kill() }
func (g group) kill()       { _ = g.process.Kill() }
func (g group) alive() bool { return false } // asked only once the process has ended

// guarded is a started hook.
type guarded struct{ group group }

func startGuarded(cmd *exec.Cmd) (*guarded, error) {
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &guarded{group{cmd.Process}}, nil
}

func (g *guarded) release() {}

// signalName is empty: nothing ends by a signal on Windows.
func signalName(*os.ProcessState) string { return "" }
