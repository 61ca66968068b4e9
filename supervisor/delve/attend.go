package delve

import (
	"context"
	"time"
)

// attend knows whether the app runs, and has one that stands at a panic go on.
func (a *App) attend(ctx context.Context) {
	for ctx.Err() == nil {
		st, err := a.server.state(ctx, now)
		if err != nil || st.Running { // a dlv that cannot be asked stops no clock
			a.runs()
			if err == nil {
				st, err = a.server.state(ctx, stopped)
			}
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

func (a *App) runs() {
	if now := time.Now(); a.since.Load() == nil {
		a.since.Store(&now)
	}
}

// leavePanic has an app go on that stands at a panic, if nobody is there to look: it is to end, and its
// end to be told, as without dlv. With a debugger attached it stays, and dlv says so.
func (a *App) leavePanic(ctx context.Context, st state) {
	if st.panicked() && a.server.attached() == alone {
		a.server.Panicked()
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
