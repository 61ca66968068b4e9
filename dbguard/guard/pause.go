package guard

import (
	"context"
	"sync"
)

// Pause keeps every session of the app that passes through us from the server
// from its next transaction on, as PgBouncer's PAUSE does, and returns when none
// is inside one: those that still are after the drain timeout are rolled back and
// closed, for which there is as much time again, 2 s at least. New clients wait.
// resume lets them go on, with schema changed or not; it must be called, once.
func (g *Guard) Pause(ctx context.Context) (resume func(migrated bool)) {
	var all sync.WaitGroup
	paused := g.upstreams.all()
	for _, u := range paused {
		for _, s := range u.sessions.pause() {
			all.Go(func() { s.hold(ctx, u.access().timeout, u.finishTime()) })
		}
	}
	all.Wait()
	return func(migrated bool) {
		for _, u := range paused {
			u.resume(migrated)
		}
	}
}

// resume lets the sessions of u go on. What was dialled ahead before the schema
// changed is not handed out: its server may have planned with the old one.
func (u *upstream) resume(migrated bool) {
	if migrated {
		u.spares.close(u.work.ctx, everyGeneration)
	}
	u.sessions.resume()
}
