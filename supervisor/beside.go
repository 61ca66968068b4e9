package supervisor

import (
	"context"
	"syscall"

	"github.com/devguard/devguard/supervisor/reload"
)

// prepare has a guardian wait for the next start. That makes one itself when there is
// none.
func (s *Supervisor) prepare(e reload.Prepare) doer {
	return func(context.Context) reload.Event {
		_ = s.launcher.Prepare()
		return reload.BesideDone{ID: e.ID}
	}
}

// forwardQuit sends SIGQUIT to a generation, which may have exited meanwhile.
func (s *Supervisor) forwardQuit(e reload.ForwardQuit) doer {
	g := s.generation(e.Gen)
	return func(context.Context) reload.Event {
		_ = g.tree.Signal(syscall.SIGQUIT)
		return reload.BesideDone{ID: e.ID}
	}
}

// closeRetired closes the database side of one earlier configuration.
func (s *Supervisor) closeRetired(e reload.CloseRetired) doer {
	db := s.retired[0]
	s.retired = s.retired[1:]
	return func(context.Context) reload.Event { return reload.BesideDone{ID: e.ID, Err: db.close()} }
}
