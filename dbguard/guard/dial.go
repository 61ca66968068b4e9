package guard

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devguard/devguard/dbguard/activity"
	"github.com/devguard/devguard/dbguard/dsn"
	"github.com/devguard/devguard/dbguard/sockets"
)

// dialForDrains begins to open the sessions that the drain of the generations up to gen will use,
// before the app is told to stop: where it is not known without its sockets whether it uses an upstream,
// that has to wait until then.
func (g *Guard) dialForDrains(gen int) {
	for _, u := range g.upstreams.usedUntil(gen) {
		if u.access().role != dsn.Other {
			u.dialForDrain(nil)
		}
	}
}

// dialForDrain begins to open the session that the next drain will use, for an app
// that holds these sockets, unless that is under way or of no use: behind a pooler
// there is nothing to end. One that no drain has taken after spareLife is closed.
func (u *upstream) dialForDrain(held []sockets.Conn) {
	if v, known := u.prober.result(); known && v.kind != postgres && v.kind != unknown {
		return
	}
	d := u.expectDial()
	if d == nil {
		return
	}
	to := u.access()
	run := func() {
		u.dialInto(d, to, held)
		u.limitDial(d)
	}
	if !u.work.start(run) {
		close(d.done)
	}
}

func (u *upstream) dialInto(d *dialing, to *access, held []sockets.Conn) {
	defer close(d.done)
	if to.role == dsn.Other && !leadsTo(u.work.ctx, held, to.config) {
		d.unused, d.err = true, nil
		return
	}
	u.prober.ensure() // a server that was down when the app started
	if d.run(u.work.ctx, to); d.err == nil {
		u.rehearse(d.conn)
	}
}

// rehearse asks what the drain will ask: the first time the server reads what it needs for that, which
// takes it a millisecond more than later. A session that breaks by it shows in the drain, which then
// dials another.
func (u *upstream) rehearse(o *ownConn) {
	ctx, cancel := context.WithTimeout(u.work.ctx, stepLimit)
	defer cancel()
	_, _ = activity.Find(ctx, o.conn, activity.Filter{Labels: u.labels.prefixes(everyGeneration)})
}

// limitDial closes a session that no drain has taken in time.
func (u *upstream) limitDial(d *dialing) {
	timer := time.NewTimer(spareLife)
	defer timer.Stop()
	select {
	case <-d.taken:
	case <-u.work.ctx.Done(): // Close has it
	case <-timer.C:
		if u.dropDial(d) {
			d.close(u.work.ctx)
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
