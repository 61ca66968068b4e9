package guard

import (
	"context"

	"github.com/devguard/devguard/dbguard/dsn"
)

// ensureSweep begins to end what killed devguards of this name left on u, once.
// On an upstream that is not ours to connect to, or that cannot be reached now,
// a later Drain does it.
func (g *Guard) ensureSweep(u *upstream) {
	g.mu.Lock()
	to, begun := u.access, u.swept != nil
	if begun || len(g.options.Previous) == 0 || to.role == dsn.Other {
		g.mu.Unlock()
		return
	}
	done := make(chan struct{})
	u.swept = done
	g.mu.Unlock()
	run := func() {
		defer close(done)
		(&drain{g: g, u: u, to: to}).run(g.ctx)
	}
	if !g.background(run) {
		close(done)
	}
}

// awaitSweeps waits until nothing of a killed devguard is left where a new app
// or a migration is about to connect, or the drain timeout has passed.
func (g *Guard) awaitSweeps(ctx context.Context, upstreams []*upstream) {
	for _, u := range upstreams {
		g.mu.Lock()
		done := u.swept
		g.mu.Unlock()
		if done == nil {
			continue
		}
		select {
		case <-done:
		case <-ctx.Done():
			return
		}
	}
}
