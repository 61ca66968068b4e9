package guard

import (
	"net/netip"
	"slices"
	"time"

	"github.com/devguard/devguard/dbguard/sockets"
	"github.com/devguard/devguard/supervisor/logline"
)

// postgresPorts are those that Postgres and its poolers listen on by habit.
var postgresPorts = []uint16{5432, 5433, 6432, 6543}

// pastLooks are the pauses before each look at an app that has started, for a database
// that it uses past us: most apps connect at once, some at their first request.
var pastLooks = []time.Duration{2 * time.Second, 8 * time.Second, 50 * time.Second}

// lookPast looks a few times whether generation gen, which is about to start, uses a
// database that devguard does not know of.
func (g *Guard) lookPast(gen int) {
	if g.shared.pids == nil || g.databases.someGoPast() {
		return
	}
	g.shared.work.start(func() {
		for _, pause := range pastLooks {
			if !sleep(g.shared.work.ctx, pause) {
				return
			}
			if now, pids := g.shared.pids(); now == gen {
				conns, _ := sockets.Connections(pids)
				g.sayPast(conns)
			}
		}
	})
}

// someGoPast reports whether the configuration has a database that the app is to reach
// by itself.
func (list databases) someGoPast() bool {
	return slices.ContainsFunc(list, func(d Database) bool { return !mode(d.Mode).proxies() })
}

// sayPast says once for each address that the app holds a connection to it.
func (g *Guard) sayPast(conns []sockets.Conn) {
	ours, byItself := g.upstreams.known()
	for _, to := range past(conns, ours, byItself) {
		if g.shared.log.first("past " + to.String()) {
			logline.Past(to.String()).To(g.shared.log.Logger)
		}
	}
}

// known returns the addresses of our listeners, and ports of servers that the app goes to
// by itself because we could not stand in between.
func (r *registry) known() (ours []netip.AddrPort, byItself []uint16) {
	for _, u := range r.all() {
		ours = append(ours, u.listeners.addresses()...)
		if !u.prober.mode().proxies() {
			config := u.access().config
			byItself = append(byItself, config.Port)
			for _, f := range config.Fallbacks {
				byItself = append(byItself, f.Port)
			}
		}
	}
	return ours, byItself
}

// past returns the other ends of those connections that look like one to a Postgres.
func past(conns []sockets.Conn, ours []netip.AddrPort, byItself []uint16) (list []netip.AddrPort) {
	for _, c := range conns {
		to := c.Remote
		if slices.Contains(postgresPorts, to.Port()) && !slices.Contains(byItself, to.Port()) && !slices.Contains(ours, to) && !slices.Contains(list, to) {
			list = append(list, to)
		}
	}
	return list
}
