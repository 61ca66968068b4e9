package build

import (
	"os"
	"os/exec"
	"sync"
)

// group stands for a process group, which Windows does not have: the go command
// itself is killed, the compilers that it started end by themselves. Job objects
// would do it; devguard does not use them yet.
type group struct {
	mu      sync.Mutex
	started []*os.Process
}

func newGroup() (*group, error) { return &group{}, nil }

func (g *group) start(cmd *exec.Cmd) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.started = append(g.started, cmd.Process)
	return nil
}

func (g *group) run(cmd *exec.Cmd) error {
	if err := g.start(cmd); err != nil {
		return err
	}
	return cmd.Wait()
}

// kill kills the go commands. One that has ended is no error.
func (g *group) kill() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range g.started {
		p.Kill()
	}
	return nil
}

func (g *group) end() { g.kill() }
