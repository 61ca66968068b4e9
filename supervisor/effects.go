package supervisor

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/devguard/devguard/supervisor/reload"
)

// do starts one effect. It never blocks.
func (s *Supervisor) do(e reload.Effect) {
	switch e := e.(type) {
	case reload.Log:
		s.log(e)
	case reload.Adopt:
		e.Brings.(func())()
	case reload.Cancel:
		if cancel := s.cancels[e.ID]; cancel != nil {
			cancel()
		}
	case reload.List:
		s.run(e.ID, s.list(e), func(err error) reload.Event { return reload.Listed{ID: e.ID, Err: err} })
	case reload.LoadConfig:
		s.run(e.ID, s.loadConfig(e), func(err error) reload.Event { return reload.ConfigLoaded{ID: e.ID, Err: err} })
	case reload.RunHook:
		s.run(e.ID, s.runHook(e), func(err error) reload.Event { return reload.HookDone{ID: e.ID, Err: err} })
	case reload.Build:
		s.run(e.ID, s.build(e), func(err error) reload.Event { return reload.Built{ID: e.ID, Err: err} })
	default:
		s.doInstance(e)
	}
}

func (s *Supervisor) doInstance(e reload.Effect) {
	switch e := e.(type) {
	case reload.Check:
		s.run(e.ID, s.check(e), func(err error) reload.Event { return reload.Checked{ID: e.ID, Err: err} })
	case reload.Start:
		s.run(e.ID, s.start(e), func(err error) reload.Event { return reload.Started{ID: e.ID, Err: err} })
	case reload.Await:
		s.run(e.ID, s.await(e), func(err error) reload.Event { return reload.Exited{ID: e.ID, Code: -1, Err: err} })
	case reload.AwaitReady:
		s.run(e.ID, s.awaitReady(e), func(err error) reload.Event { return reload.ReadyDone{ID: e.ID, Err: err} })
	case reload.Stop:
		s.run(e.ID, s.stop(e), func(err error) reload.Event { return reload.Stopped{ID: e.ID, Err: err} })
	case reload.Drain:
		s.run(e.ID, s.drain(e), func(err error) reload.Event { return reload.Drained{ID: e.ID, Err: err} })
	default:
		s.doBeside(e)
	}
}

func (s *Supervisor) doBeside(e reload.Effect) {
	beside := func(id reload.ID, do doer) {
		s.run(id, do, func(err error) reload.Event { return reload.BesideDone{ID: id, Err: err} })
	}
	switch e := e.(type) {
	case reload.ForwardQuit:
		beside(e.ID, s.forwardQuit(e))
	case reload.Prepare:
		beside(e.ID, s.prepare(e))
	case reload.CloseRetired:
		beside(e.ID, s.closeRetired(e))
	default:
		panic(fmt.Sprintf("BUG: effect %T is not known", e))
	}
}

// doer does one effect and returns its answer.
type doer func(context.Context) reload.Event

// run gives an effect its goroutine. failed makes the event for a doer that
// panicked.
func (s *Supervisor) run(id reload.ID, do doer, failed func(error) reload.Event) {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancels[id] = cancel
	go func() {
		defer cancel()
		s.outcomes <- outcome{id, guarded(ctx, do, failed)}
	}()
}

// guarded turns a panic of a doer into its answer: a bug in one build must not
// take the running app down.
func guarded(ctx context.Context, do doer, failed func(error) reload.Event) (answer reload.Event) {
	defer func() {
		if p := recover(); p != nil {
			answer = failed(fmt.Errorf("BUG in devguard, please report: %v\n%s", p, debug.Stack()))
		}
	}()
	return do(ctx)
}
