package supervisor

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/devguard/devguard/supervisor/reload"
)

// doers are what the loop does its effects by, and the seam at which it is tested. Each
// is called in the loop, where it takes what the work needs, and returns the work.
type doers struct {
	list         func(reload.List) doer
	loadConfig   func(reload.LoadConfig) doer
	runHook      func(reload.RunHook) doer
	build        func(reload.Build) doer
	verify       func(reload.Verify) doer
	check        func(reload.Check) doer
	start        func(reload.Start) doer
	await        func(reload.Await) doer
	awaitReady   func(reload.AwaitReady) doer
	stop         func(reload.Stop) doer
	drain        func(reload.Drain) doer
	forwardQuit  func(reload.ForwardQuit) doer
	stopJob      func(reload.StopJob) doer
	prepare      func(reload.Prepare) doer
	closeRetired func(reload.CloseRetired) doer
}

// doer does one effect, in a goroutine of its own, and returns the answer. It ends
// early when its context does, and answers all the same.
type doer func(context.Context) reload.Event

// work is an effect that is ready to be done.
type work struct {
	id     reload.ID
	do     doer
	failed func(error) reload.Event // the answer when do panics
}

// outcome is the answer to the effect with that ID.
type outcome struct {
	id     reload.ID
	answer reload.Event
}

// do starts one effect. It never blocks.
func (l *loop) do(e reload.Effect) {
	switch e := e.(type) {
	case reload.Log:
		l.say(e)
	case reload.Adopt:
		e.Brings.(func())()
	case reload.Refresh:
		l.refresh(e.Styles)
	case reload.Cancel:
		if cancel := l.cancels[e.ID]; cancel != nil {
			cancel()
		}
	default:
		l.start(l.doers.work(e))
	}
}

func (d *doers) work(e reload.Effect) work {
	switch e := e.(type) {
	case reload.List:
		return work{e.ID, d.list(e), func(err error) reload.Event { return reload.Listed{ID: e.ID, Err: err} }}
	case reload.LoadConfig:
		return work{e.ID, d.loadConfig(e), func(err error) reload.Event { return reload.ConfigLoaded{ID: e.ID, Err: err} }}
	case reload.RunHook:
		return work{e.ID, d.runHook(e), func(err error) reload.Event { return reload.HookDone{ID: e.ID, Err: err} }}
	case reload.Build:
		return work{e.ID, d.build(e), func(err error) reload.Event { return reload.Built{ID: e.ID, Err: err} }}
	case reload.Verify:
		return work{e.ID, d.verify(e), func(err error) reload.Event { return reload.Verified{ID: e.ID, Err: err} }}
	case reload.Check:
		return work{e.ID, d.check(e), func(err error) reload.Event { return reload.Checked{ID: e.ID, Err: err} }}
	case reload.Start:
		return work{e.ID, d.start(e), func(err error) reload.Event { return reload.Started{ID: e.ID, Err: err} }}
	case reload.Await:
		return work{e.ID, d.await(e), func(err error) reload.Event { return reload.Exited{ID: e.ID, Code: -1, Err: err} }}
	case reload.AwaitReady:
		return work{e.ID, d.awaitReady(e), func(err error) reload.Event { return reload.ReadyDone{ID: e.ID, Err: err} }}
	case reload.Stop:
		return work{e.ID, d.stop(e), func(err error) reload.Event { return reload.Stopped{ID: e.ID, Err: err} }}
	case reload.Drain:
		return work{e.ID, d.drain(e), func(err error) reload.Event { return reload.Drained{ID: e.ID, Err: err} }}
	case reload.ForwardQuit:
		return beside(e.ID, d.forwardQuit(e))
	case reload.StopJob:
		return beside(e.ID, d.stopJob(e))
	case reload.Prepare:
		return beside(e.ID, d.prepare(e))
	case reload.CloseRetired:
		return beside(e.ID, d.closeRetired(e))
	}
	panic(fmt.Sprintf("BUG: effect %T is not known", e))
}

func beside(id reload.ID, do doer) work {
	return work{id, do, func(err error) reload.Event { return reload.BesideDone{ID: id, Err: err} }}
}

// start gives an effect its goroutine, which sends exactly one outcome. The loop takes
// it: it ends only when no effect is in flight.
func (l *loop) start(w work) {
	ctx, cancel := context.WithCancel(context.Background())
	l.cancels[w.id] = cancel
	go func() {
		defer cancel()
		l.outcomes <- outcome{w.id, w.answer(ctx)}
	}()
}

// answer turns a panic of a doer into its answer: a bug in one build must not
// take the running app down.
func (w work) answer(ctx context.Context) (answer reload.Event) {
	defer func() {
		if p := recover(); p != nil {
			answer = w.failed(fmt.Errorf("BUG in devguard, please report: %v\n%s", p, debug.Stack()))
		}
	}()
	return w.do(ctx)
}
