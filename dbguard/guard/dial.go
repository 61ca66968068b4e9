package guard

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devguard/devguard/dbguard/activity"
	"github.com/devguard/devguard/dbguard/dsn"
	"github.com/devguard/devguard/dbguard/sockets"
)

// forDrain has the session of one upstream for the next drain.
type forDrain struct {
	*endpoint
	prober *prober
	labels labels
	work   *background

	mu   sync.Mutex
	dial *dialing // nil when there is none
}

// dialForDrains begins to open the sessions that the drain of the generations up to gen will use,
// before the app is told to stop: where it is not known without its sockets whether it uses an upstream,
// that has to wait until then.
func (g *Guard) dialForDrains(gen int) {
	for _, u := range g.upstreams.usedUntil(gen) {
		if u.access().role != dsn.Other {
			u.forDrain.begin(nil)
		}
	}
}

// begin begins to open the session that the next drain will use, for an app
// that holds these sockets, unless that is under way or of no use: behind a pooler
// there is nothing to end. One that no drain has taken after spareLife is closed.
func (f *forDrain) begin(held []sockets.Conn) {
	if v, known := f.prober.result(); known && v.kind != postgres && v.kind != unknown {
		return
	}
	d := f.expect()
	if d == nil {
		return
	}
	to := f.access()
	run := func() {
		f.open(d, to, held)
		f.limit(d)
	}
	if !f.work.start(run) {
		close(d.done)
	}
}

// expect returns a dial that the caller is to make, nil when there is one that has not failed.
func (f *forDrain) expect() *dialing {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dial != nil && !f.dial.failed() {
		return nil
	}
	f.dial = newDialing()
	return f.dial
}

// take returns the dial, which is the caller's from then on, or nil.
func (f *forDrain) take() *dialing {
	f.mu.Lock()
	defer f.mu.Unlock()
	d := f.dial
	if f.dial = nil; d != nil {
		close(d.taken)
	}
	return d
}

// drop forgets d; false when somebody has taken it, or another one is in its place.
func (f *forDrain) drop(d *dialing) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dial != d {
		return false
	}
	f.dial = nil
	return true
}

func (f *forDrain) open(d *dialing, to *access, held []sockets.Conn) {
	defer close(d.done)
	if to.role == dsn.Other && !leadsTo(f.work.ctx, held, to.config) {
		d.unused, d.err = true, nil
		return
	}
	f.prober.ensure() // a server that was down when the app started
	if d.run(f.work.ctx, to); d.err == nil {
		f.rehearse(d.conn)
	}
}

// rehearse asks what the drain will ask: the first time the server reads what it needs for that, which
// takes it a millisecond more than later. A session that breaks by it shows in the drain, which then
// dials another.
func (f *forDrain) rehearse(o *ownConn) {
	ctx, cancel := context.WithTimeout(f.work.ctx, stepLimit)
	defer cancel()
	_, _ = activity.Find(ctx, o.conn, activity.Filter{Labels: f.labels.prefixes(everyGeneration)})
}

// limit closes a session that no drain has taken in time.
func (f *forDrain) limit(d *dialing) {
	timer := time.NewTimer(spareLife)
	defer timer.Stop()
	select {
	case <-d.taken:
	case <-f.work.ctx.Done(): // Close has it
	case <-timer.C:
		if f.drop(d) {
			d.close(f.work.ctx)
		}
	}
}

// dialNow begins to open a session for a drain that has nothing dialled ahead. The
// drain may go before it ends: a session that breaks takes a moment to be closed.
func dialNow(work *background, to *access) *dialing {
	d := newDialing()
	run := func() {
		defer close(d.done)
		d.run(work.ctx, to)
	}
	if !work.start(run) {
		close(d.done)
	}
	return d
}

// leadsTo reports whether one of the connections leads to a server of config.
func leadsTo(ctx context.Context, conns []sockets.Conn, config *pgconn.Config) bool {
	servers := []*pgconn.FallbackConfig{{Host: config.Host, Port: config.Port}}
	for _, s := range append(servers, config.Fallbacks...) {
		if !slices.ContainsFunc(conns, func(c sockets.Conn) bool { return c.Remote.Port() == s.Port }) {
			continue
		}
		if network, _ := pgconn.NetworkAddress(s.Host, s.Port); network == "unix" {
			continue // not a socket that we see
		}
		ctx, cancel := context.WithTimeout(ctx, stepLimit)
		hosts, _ := config.LookupFunc(ctx, s.Host)
		cancel()
		for _, host := range hosts {
			server, err := netip.ParseAddrPort(joinHost(host, s.Port))
			if err == nil && slices.ContainsFunc(conns, func(c sockets.Conn) bool { return sameServer(c.Remote, server) }) {
				return true
			}
		}
	}
	return false
}

// joinHost puts an address and a port together.
func joinHost(host string, port uint16) string {
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return host + ":" + strconv.Itoa(int(port))
	}
	return netip.AddrPortFrom(addr.Unmap(), port).String()
}

// sameServer reports whether two addresses are of one server: equal, or one
// port of this machine's loopback, where localhost is 127.0.0.1 to one driver
// and ::1 to another. What such a socket is worth is decided by what the server
// itself says of it.
func sameServer(a, b netip.AddrPort) bool {
	return a == b || a.Port() == b.Port() && a.Addr().IsLoopback() && b.Addr().IsLoopback()
}
