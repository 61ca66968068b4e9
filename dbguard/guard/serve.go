package guard

import (
	"context"
	"fmt"
	"time"

	"github.com/devguard/devguard/dbguard/login"
	"github.com/devguard/devguard/dbguard/relay"
	"github.com/devguard/devguard/dbguard/session"
)

// openListener makes sure that u has the listener that stands for it in the app's
// environment. Its port stays for the Guard's life.
func (g *Guard) openListener(u *upstream) (*login.Listener, error) {
	if l := g.listenerOf(u); l != nil {
		return l, nil
	}
	l, err := login.Listen("tcp4", "127.0.0.1:0", login.Options{
		Serve:   func(ctx context.Context, c *login.Client) { g.serve(ctx, u, c, g.admit) },
		Secrets: func() []login.Secret { return g.secrets(u) },
		Log:     g.log,
	})
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	if u.proxy.listener == nil && !g.closed {
		u.proxy.listener = l
		g.mu.Unlock()
		return l, nil
	}
	first := u.proxy.listener
	g.mu.Unlock()
	l.Close(g.ctx)
	if first == nil {
		return nil, context.Canceled
	}
	return first, nil
}

// closeListeners ends every session of u; ctx bounds how politely.
func (g *Guard) closeListeners(ctx context.Context, u *upstream) {
	g.mu.Lock()
	l, fixed := u.proxy.listener, u.proxy.fixed
	g.mu.Unlock()
	if l != nil {
		l.Close(ctx)
	}
	if fixed != nil {
		fixed.Close(ctx)
	}
}

// serve is the life of a client that has logged in; admit opens its session.
func (g *Guard) serve(ctx context.Context, u *upstream, c *login.Client, admit func(context.Context, *live, *login.Client) *visit) {
	ctx, l := g.enter(ctx, u, c.Gen)
	if l == nil {
		if c.Upstream != nil {
			c.Upstream.Leave()
		}
		c.Refuse(errReplaced)
		return
	}
	var report *relay.Report
	w := &watcher{g: g, l: l}
	defer func() { g.leave(l, report, w.left) }()
	if v := admit(ctx, l, c); v != nil {
		report = g.relay(ctx, l, c, v, w)
	}
}

// visit is what a client was admitted to.
type visit struct {
	want
	up  *opened
	how session.Mode
	pid uint32 // as the client is told
}

// errReplaced is what a client hears that comes too late.
var errReplaced = login.Fatal("57P01", "terminating connection due to administrator command", "devguard has replaced this generation of the app.")

// admit finds out how the client is to be served and opens its session; nil when
// it was refused.
func (g *Guard) admit(ctx context.Context, l *live, c *login.Client) *visit {
	u := l.u
	if !g.awaitResume(ctx, u) {
		return nil
	}
	if user := u.id.User; c.User != user {
		c.Refuse(login.Fatal("28000", fmt.Sprintf("this address is for the user %q, not for %q", user, c.User),
			"It stands for the URL that devguard was given, whose password is of no use to another user."))
		return nil
	}
	m := g.settleMode(ctx, u)
	if m == modeTransaction && replicates(c.Params) {
		c.Refuse(login.Fatal("08P01", "a transaction pooler cannot carry replication", "Use the direct URL of the database."))
		return nil
	}
	w := g.wantOf(u, c.Gen, c.Database, c.Params)
	up, err := g.takeOrReach(ctx, l, w)
	if err != nil {
		g.refuseClient(ctx, u, c, err)
		return nil
	}
	if m == modeAuto { // it could not be reached a moment ago
		if m = g.settleMode(ctx, u); m == modeAuto {
			m = modeTransaction // right on any server
		}
	}
	if m == modeSession {
		g.noteOpening(l, w)
	}
	v := &visit{want: w, up: up, how: session.Pass, pid: up.pid}
	if m == modeTransaction {
		v.how, v.pid = session.Rewrite, login.NewPID()
	}
	return v
}

// replicates reports whether a startup message asks for a replication connection.
func replicates(params map[string]string) bool {
	switch params["replication"] {
	case "", "0", "false", "off", "no":
		return false
	}
	return true
}

// refuseClient passes on why there is no session, and gives up on standing in
// between when that is ours alone.
func (g *Guard) refuseClient(ctx context.Context, u *upstream, c *login.Client, err error) {
	to := g.access(u)
	c.Refuse(refusalFor(err, u, to))
	if ctx.Err() == nil {
		g.fallIfOurs(u, err)
	}
}

// relay passes what client and session say until both have ended.
func (g *Guard) relay(ctx context.Context, l *live, c *login.Client, v *visit, w *watcher) *relay.Report {
	r := relay.New(c.Conn, v.up.Upstream, session.New(session.Options{Mode: v.how}), relay.Options{
		FinishTimeout: g.finishTime(l.u), OnEvents: w.take,
	})
	forget, err := c.Welcome(login.Greeting{Status: v.up.status, Notices: v.up.notices, PID: v.pid}, r.Cancel)
	defer forget()
	if err != nil {
		l.cancel() // the client is gone: Run ends at once, and the session with it
	}
	if !g.begin(l, v.want, v.up, r) {
		r.End(errReplaced)
	}
	report := r.Run(ctx)
	if report.Lost && ctx.Err() == nil {
		g.lost(l.u)
	}
	return &report
}

// shortestFinish is how long a session has at least to be cancelled and rolled back
// before its connections are closed, however short the drain timeout. Behind a pooler
// that is worth a wait: a query whose connection is closed goes on there, locks and
// all, and nobody can cancel it any more. A guess: it takes milliseconds, on a machine
// with nothing to spare more than half a second (measured).
const shortestFinish = 2 * time.Second

// finishTime is how long the end of a session on u may take.
func (g *Guard) finishTime(u *upstream) time.Duration {
	return max(g.access(u).timeout, shortestFinish)
}

func (g *Guard) listenerOf(u *upstream) *login.Listener {
	g.mu.Lock()
	defer g.mu.Unlock()
	return u.proxy.listener
}

func (g *Guard) hasListener(u *upstream) bool { return g.listenerOf(u) != nil }

// lost makes the next client find out anew what is behind u: the server has ended
// a session by itself, and may come back as another one.
func (g *Guard) lost(u *upstream) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, done := u.probe.result(); done {
		u.probe = nil
	}
}

// awaitResume waits while u is paused; false when the client need not be served
// any more.
func (g *Guard) awaitResume(ctx context.Context, u *upstream) bool {
	g.mu.Lock()
	paused := u.proxy.paused
	g.mu.Unlock()
	if paused == nil {
		return true
	}
	select {
	case <-paused:
		return g.awaitResume(ctx, u)
	case <-ctx.Done():
		return false
	}
}
