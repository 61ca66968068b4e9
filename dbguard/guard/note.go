package guard

import (
	"context"
	"net/netip"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devguard/devguard/dbguard/dsn"
	"github.com/devguard/devguard/dbguard/sockets"
)

// Note remembers the sockets that the processes pids of generation gen hold
// now. It is for the moment of the stop signal, and again before SIGKILL, while
// they still live. It also begins to dial the session that Drain will use, so
// that a restart does not wait for it; it does not wait itself.
func (g *Guard) Note(gen int, pids []int) {
	conns, err := sockets.Connections(pids)
	if err != nil {
		g.log.DebugContext(g.ctx, "the sockets of the app are not known", "gen", gen, "error", err)
	}
	g.mu.Lock()
	for _, c := range conns {
		if !slices.Contains(g.noted[gen], c) {
			g.noted[gen] = append(g.noted[gen], c)
		}
	}
	noted := slices.Clone(g.noted[gen])
	g.mu.Unlock()
	for _, u := range g.usedBy(gen) {
		g.ensureDial(u, noted)
	}
}

// usedBy returns the upstreams that a generation up to gen was given, and that
// were not drained since.
func (g *Guard) usedBy(gen int) []*upstream {
	all := g.known()
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.DeleteFunc(all, func(u *upstream) bool { return u.first == 0 || u.first > gen })
}

// dialing is a session for the next drain in the making; what follows done may
// be read once it is closed.
type dialing struct {
	done   chan struct{}
	line   *line
	err    error
	unused bool // the app holds no socket to this upstream, which is not ours to use then
}

// ensureDial begins to dial u, unless that is under way or of no use: behind a
// pooler there is nothing to end.
func (g *Guard) ensureDial(u *upstream, noted []sockets.Conn) {
	g.mu.Lock()
	v, known := u.probe.result()
	if u.dial != nil || known && v.kind != postgres && v.kind != unknown {
		g.mu.Unlock()
		return
	}
	d := &dialing{done: make(chan struct{}), err: context.Canceled}
	u.dial = d
	to := u.access
	g.mu.Unlock()
	run := func() {
		defer close(d.done)
		if to.role == dsn.Other && !uses(g.ctx, noted, to.config) {
			d.unused, d.err = true, nil
			return
		}
		g.ensureProbe(u) // a server that was down when the app started
		d.line, d.err = dialLine(g.ctx, to.config)
	}
	if !g.background(run) {
		close(d.done)
	}
}

// beginDial begins to dial for a drain that has nothing dialled ahead. The drain
// may go before it ends: a session that breaks takes a moment to be closed.
func (g *Guard) beginDial(to *access) *dialing {
	d := &dialing{done: make(chan struct{}), err: context.Canceled}
	run := func() {
		defer close(d.done)
		d.line, d.err = dialLine(g.ctx, to.config)
	}
	if !g.background(run) {
		close(d.done)
	}
	return d
}

// close ends a session dialled for nothing, when it is there.
func (d *dialing) close(ctx context.Context) {
	if <-d.done; d.line != nil {
		d.line.close(ctx)
	}
}

// takeDial returns the dial of u, which is the caller's from then on, or nil.
func (g *Guard) takeDial(u *upstream) *dialing {
	g.mu.Lock()
	defer g.mu.Unlock()
	d := u.dial
	u.dial = nil
	return d
}

// uses reports whether one of the connections leads to a server of config.
func uses(ctx context.Context, conns []sockets.Conn, config *pgconn.Config) bool {
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
