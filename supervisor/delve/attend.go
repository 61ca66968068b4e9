package delve

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/devguard/devguard/supervisor/logline"
)

// attend lets the app run, knows whether it does, and has one that stands at a panic go on.
func (a *App) attend(ctx context.Context) {
	var begin start
	for ctx.Err() == nil {
		st, err := a.server.state(ctx, now)
		switch {
		case err != nil:
			begin = a.unanswered(begin, err)
		case st.Running:
			a.runs()
			begin = begun
			st, err = a.server.state(ctx, stopped)
		case begin != begun && a.server.attached() != attached:
			a.runs()
			begin = begun
			a.server.resume(ctx)
			continue
		case begin != begun:
			begin = a.look(begin, logline.Note(false, "the app does not run yet: the debugger that is attached has to let it", ""))
		}
		if err == nil {
			a.since.Store(nil)
			a.leavePanic(ctx, st)
		}
		select {
		case <-time.After(standing):
		case <-ctx.Done():
		}
	}
}

// standing is how often an app that stands somewhere is looked at.
const standing = 250 * time.Millisecond

// start is how far a start is: dlv has an app stand at its first instruction. A debugger that has
// attached by then sets its breakpoints and lets it run itself; until it does, the number of looks
// at which it did not run.
type start int

const (
	begun start = -1 // it has run
	late  start = 8  // looks: two seconds
)

// look counts one, and says why it does not run when that has gone on for a while.
func (a *App) look(before start, why logline.Line) start {
	if before == late {
		a.server.Say(why)
	}
	return before + 1
}

// unanswered takes an app for one that runs, so that no clock stands still for ever.
func (a *App) unanswered(begin start, err error) start {
	a.runs()
	var exited *exitedError
	if begin == begun || errors.As(err, &exited) {
		return begin
	}
	return a.look(begin, logline.Warning(fmt.Errorf("the app may not run yet: Delve does not answer: %w", err)))
}

func (a *App) runs() {
	if now := time.Now(); a.since.Load() == nil {
		a.since.Store(&now)
	}
}

// leavePanic has an app go on that stands at a panic, or at what SIGQUIT asks for, if nobody is there to look: it is to end, and its
// end to be told, as without dlv. With a debugger attached it stays.
func (a *App) leavePanic(ctx context.Context, st state) {
	if st.panicked() && a.server.attached() == alone {
		a.server.Say(logline.Note(false, "a panic or fatal error has stopped the app, and no debugger is attached: it goes on to its end", ""))
		a.server.resume(ctx)
	}
}

// attachment is whether a debugger is connected to dlv.
type attachment int

const (
	unknown attachment = iota
	alone
	attached
)
