package guard

import (
	"context"
	"net"
	"slices"
	"time"

	"github.com/devguard/devguard/dbguard/login"
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
	l, err := login.ListenRelayed("tcp", address, g.access(u).config, login.Options{
		Serve:      func(ctx context.Context, c *login.Client) { g.serve(ctx, u, c, g.admitRelayed) },
		Generation: g.generationOf,
		Log:        g.log,
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
		l.Close(g.ctx)
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
func (g *Guard) admitRelayed(ctx context.Context, l *live, c *login.Client) *visit {
	if c.Gen == 0 {
		g.sayStranger(l.u, c)
	}
	how := session.Pass
	if m := g.settleMode(ctx, l.u); m == modeTransaction || m == modeAuto {
		how = session.Rewrite
	}
	in := c.Upstream
	up := &opened{
		Upstream: relay.Upstream{Conn: in.Conn, Cancel: in.Cancel},
		local:    in.Conn.LocalAddr(), pid: in.PID, status: in.Status, notices: in.Notices,
	}
	return &visit{want{database: c.Database, params: c.Params}, up, how, in.PID}
}
