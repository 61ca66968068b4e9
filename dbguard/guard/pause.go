package guard

import (
	"context"
	"sync"
	"time"

	"github.com/devguard/devguard/supervisor/logline"
)

// pauseLimit is how long the app's transactions wait at most for a hook that migrates.
// When it first touches the database cannot be known: it connects past us. A guess: a
// migration of a development database takes a second, and a person waits for a page.
const pauseLimit = 5 * time.Second

// Pause keeps every session of the app that passes through us from the server
// from its next transaction on, as PgBouncer's PAUSE does, and returns when none
// is inside one: those that still are after the drain timeout are rolled back and
// closed, for which there is as much time again, 2 s at least. New clients wait.
// They go on after pauseLimit, or when resume is called, with schema changed or not;
// it must be called, once. Until then it is also said who holds a lock that the hook,
// whose environment is env, waits for.
func (g *Guard) Pause(ctx context.Context, hook string, env []string) (resume func(migrated bool)) {
	begun := time.Now()
	var all sync.WaitGroup
	paused := g.upstreams.all()
	for _, u := range paused {
		for _, s := range u.sessions.pause() {
			all.Go(func() { s.hold(ctx, u.access().timeout, finishTime(u.access().timeout)) })
		}
	}
	all.Wait()
	ctx, cancel := context.WithCancel(ctx)
	var beside sync.WaitGroup
	beside.Go(func() { limitPause(ctx, hook, paused) })
	beside.Go(func() { g.watchLocks(ctx, hook, env, begun) })
	return func(migrated bool) {
		cancel()
		beside.Wait()
		for _, u := range paused {
			u.resume(migrated)
		}
	}
}

// limitPause lets the app go on when the hook takes longer than pauseLimit.
func limitPause(ctx context.Context, hook string, paused []*upstream) {
	if !sleep(ctx, pauseLimit) {
		return
	}
	for _, u := range paused {
		u.sessions.resume()
		if u.sessions.given() {
			logline.PauseOver(hook, pauseLimit, u.name).To(u.log.Logger)
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
