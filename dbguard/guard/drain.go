package guard

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devguard/devguard/dbguard/activity"
	"github.com/devguard/devguard/dbguard/dsn"
	"github.com/devguard/devguard/dbguard/sockets"
)

const (
	// firstPoll and lastPoll bound the wait between two looks at sessions that
	// were told to end: an idle one is gone after a millisecond or two, one with
	// a large transaction takes its time.
	firstPoll = time.Millisecond
	lastPoll  = 20 * time.Millisecond
	// fullPoll is the wait before another try at a server without a free
	// session: the sessions of the dead app are about to free some.
	fullPoll = 20 * time.Millisecond
	// describeTime is a guess that a busy laptop and a server 200 ms away keep.
	describeTime = 400 * time.Millisecond
)

// Drain ends what the servers still hold of the app's generations up to gen,
// whose processes must be gone, verifies that and logs it, once for each
// upstream. It returns when that is done, or after the drain timeout.
func (g *Guard) Drain(ctx context.Context, gen int) {
	used := g.upstreams.usedUntil(gen)
	dials := map[*upstream]*dialing{}
	for _, u := range used {
		dials[u] = u.forDrain.take()
	}
	conns, seen := g.shared.sockets.until(gen), g.shared.sockets.known(gen)
	var all sync.WaitGroup
	for _, u := range used {
		all.Go(func() {
			d := drain{u: u, to: u.access(), all: g.upstreams, gen: gen, conns: slices.Clone(conns), seen: seen, dials: dials, ahead: dials[u]}
			d.run(ctx)
		})
	}
	all.Wait()
	for _, u := range used {
		u.drained(gen)
	}
	g.shared.sockets.forget(gen)
}

// drain is the end of the generations up to gen on one upstream.
type drain struct {
	u     *upstream
	to    *access
	all   *registry
	gen   int                    // 0: only sessions of previous runs
	conns []sockets.Conn         // the app's, of those generations
	seen  bool                   // conns are all that generation gen had when it was told to stop
	dials map[*upstream]*dialing // of all upstreams drained together
	ahead *dialing               // ours of them, nil when there is none or it was used

	through    bool                      // sessions of the generations may have passed through us
	proxied    tally                     // what passed through us and is over
	stuck      map[uint32]sockets.Conn   // of that, what did not end in time: the server may have it still; by pid
	own        *ownConn                  // our session
	sessions   map[activity.Session]bool // the app's that were found; true once told to end
	terminated int
	left       []activity.Session
}

// run drains within the upstream's time and reports.
func (d *drain) run(ctx context.Context) {
	begun := time.Now()
	d.sessions = map[activity.Session]bool{}
	d.through = d.gen > 0 && d.u.listeners.app() != nil
	ctx, cancel := context.WithTimeout(ctx, d.to.timeout)
	defer cancel()
	d.endProxied(ctx)
	err := d.attempt(ctx)
	for err != nil && d.worthRetry(err) && sleep(ctx, fullPoll) {
		d.ahead = nil
		again := d.attempt(ctx)
		if again != nil && timedOut(again) {
			break // that one was cut off: why the last whole one failed says more
		}
		err = again
	}
	d.report(ctx, err, time.Since(begun))
	if d.own != nil {
		// The restart does not wait for the server to let go of our own session.
		d.u.work.finish(ctx, d.own.close)
	}
}

// endProxied ends the sessions that pass through us, and keeps some time for
// those that do not end so.
func (d *drain) endProxied(ctx context.Context) {
	if !d.through {
		return
	}
	polite, cancel := context.WithTimeout(ctx, d.to.timeout-d.reserve())
	defer cancel()
	d.u.spares.close(polite, d.gen)
	d.u.spares.forget(d.gen)
	d.stuck = map[uint32]sockets.Conn{}
	for _, s := range d.u.sessions.end(ctx, polite, d.gen) {
		if pid, conn, ok := s.socket(); ok {
			d.stuck[pid] = conn
			d.conns = append(d.conns, conn)
		}
	}
	d.proxied = d.u.sessions.takeTally(d.gen)
}

// errNotOurs says that there is nothing to drain or to report.
var errNotOurs = errors.New("the app does not use this upstream")

// errPooled says that nothing can be told apart there.
var errPooled = errors.New("reached through a pooler")

// worthRetry reports whether another session may succeed: always while the
// server is full, once when the session dialled ahead turned out to be broken.
func (d *drain) worthRetry(err error) bool {
	var server *pgconn.PgError
	if errors.As(err, &server) && isFull(server) {
		return true
	}
	return d.ahead != nil && d.own != nil && d.own.conn.IsClosed()
}

// attempt gets a session and ends with it all that is the app's.
func (d *drain) attempt(ctx context.Context) error {
	if d.own != nil {
		d.u.work.finish(ctx, d.own.close) // it is broken: that may take longer than there is time
		d.own = nil
	}
	if err := d.dial(ctx); err != nil {
		return err
	}
	if !d.direct(ctx) {
		return errPooled
	}
	return d.end(ctx)
}

// dial gets our session: the one dialled ahead, else a new one. What a dial ahead has failed by may be
// over.
func (d *drain) dial(ctx context.Context) error {
	dialled := d.ahead
	if dialled != nil {
		if err := d.await(ctx, dialled); err != nil {
			return err
		}
	} else if d.to.role == dsn.Other {
		return errNotOurs // and nobody saw the app use it
	}
	if dialled == nil || dialled.failed() {
		if v, known := d.u.prober.result(); known && v.kind != postgres && v.kind != unknown {
			return errPooled
		}
		dialled = dialNow(d.u.work, d.to)
		if err := d.await(ctx, dialled); err != nil {
			return err
		}
	}
	if dialled.unused {
		return errNotOurs
	}
	d.own = dialled.conn
	return dialled.err
}

// await waits for the end of a dial, as long as ctx allows.
func (d *drain) await(ctx context.Context, dialled *dialing) error {
	select {
	case <-dialled.done:
		return nil
	case <-ctx.Done():
	}
	// Once the Guard is closed the dial ends at once, and can be waited for.
	d.u.work.finish(ctx, dialled.close)
	return ctx.Err()
}

// end tells all sessions that are the app's to end until none is left, or time is
// short. A session that shows up meanwhile, because the server was still
// starting it, is ended too.
func (d *drain) end(ctx context.Context) error {
	filter, apps := d.filter(), d.ownership()
	deadline, _ := ctx.Deadline()
	for poll := firstPoll; ; poll = min(2*poll, lastPoll) {
		found, err := activity.Find(ctx, d.own.conn, filter)
		if err != nil {
			return err
		}
		if d.left = d.apps(ctx, found, apps); len(d.left) == 0 {
			return nil
		}
		if err := d.terminate(ctx); err != nil {
			return err
		}
		if time.Until(deadline) < poll+d.reserve() || !sleep(ctx, poll) {
			return nil
		}
	}
}

// reserve is how much of the drain timeout is kept for describing what is left:
// more than one round trip to a hosted server, of a short timeout at most half.
func (d *drain) reserve() time.Duration {
	return min(max(d.to.timeout/8, describeTime), d.to.timeout/2)
}

// terminate tells those of the left sessions to end that were not told yet.
func (d *drain) terminate(ctx context.Context) error {
	fresh := slices.DeleteFunc(slices.Clone(d.left), func(s activity.Session) bool { return d.sessions[s] })
	for _, s := range fresh {
		d.sessions[s] = false
	}
	if len(fresh) == 0 {
		return nil
	}
	told, err := activity.Terminate(ctx, d.own.conn, fresh)
	if err != nil {
		return err
	}
	d.terminated += told
	for _, s := range fresh {
		d.sessions[s] = true
	}
	return nil
}
