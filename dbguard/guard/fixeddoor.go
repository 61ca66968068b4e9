package guard

import (
	"context"
	"net"
	"slices"
	"time"

	"github.com/devguard/devguard/dbguard/relay"
	"github.com/devguard/devguard/dbguard/session"
	"github.com/devguard/devguard/dbguard/sockets"
)

const (
	// fixedTries and fixedPause bound how long a fixed address may be taken: after
	// an edit of devguard.toml by ourselves, until the generation that uses it ends.
	fixedTries = 200
	fixedPause = 50 * time.Millisecond
)

// openFixed begins to listen on the address that the configuration has for u.
func (g *Guard) openFixed(u *upstream) {
	g.mu.Lock()
	address := u.access.listen
	if address == "" || u.proxy.fixing {
		g.mu.Unlock()
		return
	}
	u.proxy.fixing = true
	g.mu.Unlock()
	if !g.listenFixed(u, address, true) {
		g.background(func() { g.retryFixed(u, address) })
	}
}

// retryFixed listens as soon as the address is free.
func (g *Guard) retryFixed(u *upstream, address string) {
	for try := range fixedTries {
		if !wait(g.ctx, fixedPause) || g.listenFixed(u, address, try < fixedTries-1) {
			return
		}
	}
}

// listenFixed reports whether u has its fixed address now; quietly says nothing
// when it cannot have it.
func (g *Guard) listenFixed(u *upstream, address string, quietly bool) bool {
	d := g.doorOf(u)
	l, err := listen("tcp", address, listenerOptions{
		upstream:   g.access(u).config,
		generation: func(c net.Conn) int { return g.generationOf(c) },
		serve:      func(ctx context.Context, c *client) { g.serve(ctx, u, c, g.admitRelayed) },
		cancel:     d.keys.request,
		log:        g.log,
	})
	if err != nil {
		if !quietly {
			g.log.Warn(err.Error(), "hint", "another program has the address: end it, or write another one as listen in devguard.toml")
		}
		return false
	}
	g.mu.Lock()
	closed := g.closed
	if !closed {
		u.proxy.fixed = l
	}
	g.mu.Unlock()
	if closed {
		l.close(g.ctx)
	}
	return true
}

// generationOf returns the generation whose process tree holds the other end of a
// connection now, 0 when it is nobody of ours.
func (g *Guard) generationOf(c net.Conn) int {
	if g.options.Pids == nil {
		return 0
	}
	gen, pids := g.options.Pids()
	conns, err := sockets.Connections(pids)
	theirs := sockets.Conn{Local: addrPort(c.RemoteAddr()), Remote: addrPort(c.LocalAddr())}
	if err != nil || !slices.Contains(conns, theirs) {
		return 0
	}
	return gen
}

// admitRelayed is admit for a client whose login the upstream itself has accepted.
func (g *Guard) admitRelayed(ctx context.Context, l *live, c *client) *visit {
	if c.gen == 0 {
		g.sayStranger(l.u, c)
	}
	how := session.Pass
	if m := g.settleMode(ctx, l.u); m == modeTransaction || m == modeAuto {
		how = session.Rewrite
	}
	in := c.upstream
	up := &opened{
		Upstream: relay.Upstream{Conn: in.conn, Cancel: in.cancel},
		local:    in.conn.LocalAddr(), pid: in.pid, status: in.status,
	}
	return &visit{want{database: c.database, params: c.params}, up, how, in.pid, c.resume}
}
