package guard

import (
	"context"
	"sync"

	"github.com/devguard/devguard/dbguard/login"
)

// errMigrating ends a session whose transaction a migration would wait for.
var errMigrating = login.Fatal("57P01", "terminating connection due to administrator command",
	"devguard ended this transaction because a hook that migrates the database is about to run.")

// Pause keeps every session of the app that passes through us from the server
// from its next transaction on, as PgBouncer's PAUSE does, and returns when none
// is inside one: those that still are after the drain timeout are rolled back and
// closed, for which there is as much time again, 2 s at least. New clients wait. resume lets them go on, with schema changed or not;
// it must be called, once.
func (g *Guard) Pause(ctx context.Context) (resume func(migrated bool)) {
	var all sync.WaitGroup
	paused := g.known()
	for _, u := range paused {
		g.setPaused(u)
		for _, l := range g.everybody(u) {
			all.Go(func() { g.hold(ctx, l) })
		}
	}
	all.Wait()
	return func(migrated bool) {
		for _, u := range paused {
			g.resume(u, migrated)
		}
	}
}

// setPaused keeps new clients waiting.
func (g *Guard) setPaused(u *upstream) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if u.proxy.paused == nil {
		u.proxy.paused = make(chan struct{})
	}
}

// everybody returns the sessions of the app on u that are under way.
func (g *Guard) everybody(u *upstream) []*live {
	return g.livesOf(u, everyGeneration)
}

// hold holds one session at the end of its transaction.
func (g *Guard) hold(ctx context.Context, l *live) {
	g.mu.Lock()
	r := l.relay
	g.mu.Unlock()
	if r == nil {
		return // it is being opened, and has asked for nothing yet
	}
	r.Hold()
	polite, cancel := context.WithTimeout(ctx, g.access(l.u).timeout)
	defer cancel()
	if r.AwaitIdle(polite) == nil {
		return
	}
	g.end(l, errMigrating)
	finish, cancel := context.WithTimeout(ctx, g.finishTime(l.u))
	defer cancel()
	if !l.overBy(finish) && ctx.Err() == nil {
		l.cancel()
	}
}

// resume lets the sessions of u go on. What was dialled ahead before the schema
// changed is not handed out: its server may have planned with the old one.
func (g *Guard) resume(u *upstream, migrated bool) {
	if migrated {
		g.closeSpares(g.ctx, u, everyGeneration)
	}
	g.mu.Lock()
	if u.proxy.paused != nil {
		close(u.proxy.paused)
		u.proxy.paused = nil
	}
	g.mu.Unlock()
	for _, l := range g.everybody(u) {
		g.mu.Lock()
		r := l.relay
		g.mu.Unlock()
		if r != nil {
			r.Release()
		}
	}
}
