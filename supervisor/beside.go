package supervisor

import (
	"context"
	"time"

	"github.com/devguard/devguard/supervisor/osproc"
	"github.com/devguard/devguard/supervisor/reload"
)

// prepare has a guardian wait for the next start, and finds out what the stop will want to know. Both
// do it themselves when it was not done.
func (s *Supervisor) prepare(e reload.Prepare) doer {
	g, before := s.generation(e.Gen), s.learned
	return func(context.Context) reload.Event {
		_ = s.launcher.Prepare()
		now := s.learn(g, before)
		return reload.BesideDone{ID: e.ID, Brings: func() { s.learned = now }}
	}
}

// forwardQuit sends SIGQUIT to a generation, which may have exited meanwhile.
func (s *Supervisor) forwardQuit(e reload.ForwardQuit) doer {
	g := s.generation(e.Gen)
	return func(context.Context) reload.Event {
		if g.startedWithin(launchWait) {
			g.quit()
		}
		return reload.BesideDone{ID: e.ID}
	}
}

// stopJob stops a generation and devguard like Ctrl-Z, and continues both. A hook or a build that
// runs is not stopped: a migration that waits for `fg` would keep its locks.
func (s *Supervisor) stopJob(e reload.StopJob) doer {
	var g *generation
	if e.Gen != 0 {
		g = s.generation(e.Gen)
	}
	return func(context.Context) reload.Event {
		runs := g != nil && g.startedWithin(launchWait)
		// An app that has the terminal may be stopped already, when nobody is there to continue us.
		if osproc.Continuable() {
			if runs {
				g.tree.Suspend()
			}
			s.StopSelf()
		}
		if runs {
			g.tree.Continue()
		}
		return reload.BesideDone{ID: e.ID}
	}
}

// startedWithin waits for the end of a start, which may be waiting for a database of our own, and
// reports whether it has succeeded.
func (g *generation) startedWithin(limit time.Duration) bool {
	select {
	case <-g.done:
		return g.tree != nil
	case <-time.After(limit):
		return false
	}
}

// closeRetired closes the database side of one earlier configuration.
func (s *Supervisor) closeRetired(e reload.CloseRetired) doer {
	db := s.retired[0]
	s.retired = s.retired[1:]
	return func(context.Context) reload.Event { return reload.BesideDone{ID: e.ID, Err: db.close()} }
}
