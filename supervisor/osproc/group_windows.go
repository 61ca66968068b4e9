package osproc

import (
	"os"
	"os/exec"
	"sync"
	"time"
)

// Group stands for a process group, which Windows does not have: the commands
// themselves are killed, what they started ends by itself. Job objects would do
// it; devguard does not use them yet.
type Group struct {
	mu      sync.Mutex
	started []*os.Process
}

// NewGroup never fails here.
func NewGroup() (*Group, error) { return &Group{}, nil }

// Run runs cmd, as the function Run does.
func (g *Group) Run(cmd *exec.Cmd) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	g.mu.Lock()
	g.started = append(g.started, cmd.Process)
	g.mu.Unlock()
	return endedWell(cmd.Wait())
}

// Kill kills the commands. One that has ended is no error.
func (g *Group) Kill() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range g.started {
		_ = p.Kill()
	}
	return nil
}

// Close kills the commands.
func (g *Group) Close(time.Duration) { _ = g.Kill() }
