package guard

import (
	"context"

	"github.com/devguard/devguard/dbguard/dsn"
)

// sweep begins to end what killed devguards of this name left on u, once. On an
// upstream that is not ours to connect to, or that cannot be reached now, a later
// Drain does it.
func (u *upstream) sweep(all *registry) {
	to := u.access()
	if len(u.labels.previous) == 0 || to.role == dsn.Other {
		return
	}
	done := u.expectSweep()
	if done == nil {
		return
	}
	run := func() {
		defer close(done)
		(&drain{u: u, to: to, all: all}).run(u.work.ctx)
	}
	if !u.work.start(run) {
		close(done)
	}
}

// awaitSweeps waits until nothing of a killed devguard is left where a new app
// or a migration is about to connect, or the drain timeout has passed.
func awaitSweeps(ctx context.Context, upstreams []*upstream) {
	for _, u := range upstreams {
		done := u.sweeping()
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
