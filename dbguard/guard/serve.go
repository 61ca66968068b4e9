package guard

import (
	"context"
	"fmt"
	"time"

	"github.com/devguard/devguard/dbguard/dsn"
	"github.com/devguard/devguard/dbguard/login"
	"github.com/devguard/devguard/dbguard/relay"
	"github.com/devguard/devguard/dbguard/session"
	"github.com/devguard/devguard/supervisor/logline"
)

// target returns where generation gen finds u; false when it is to use its own URL.
func (u *upstream) target(gen int) (dsn.Target, bool) {
	if !u.prober.mode().proxies() {
		if u.prober.fallbackReason() != "" {
			v, _ := u.prober.result()
			u.prober.say(v)
		}
		return dsn.Target{}, false
	}
	l, err := u.listeners.open(login.Options{
		Serve:   func(ctx context.Context, c *login.Client) { u.serve(ctx, c, u.admit) },
		Secrets: u.sessions.secrets,
		App:     u.mismatches.app(),
		Log:     u.log.Logger,
	})
	if err != nil {
		u.prober.fallBack(err.Error())
		u.prober.say(verdict{})
		return dsn.Target{}, false
	}
	return dsn.Target{
		Host: "127.0.0.1", Port: addrPort(l.Addr()).Port(), User: u.id.User, Password: u.sessions.issue(gen, l), Database: u.id.Database,
	}, true
}

// serve is the life of a client that has logged in; admit opens its session.
func (u *upstream) serve(ctx context.Context, c *login.Client, admit func(context.Context, *clientSession, *login.Client) *admission) {
	ctx, s := u.sessions.enter(ctx, c.Gen)
	if s == nil {
		if c.Server != nil {
			c.Server.Close()
		}
		c.Refuse(errReplaced)
		return
	}
	var report *relay.Report
	o := &observer{u: u, gen: s.gen}
	defer func() { u.sessions.leave(s, report, o.left) }()
	if a := admit(ctx, s, c); a != nil {
		report = u.relay(ctx, s, c, a, o)
	}
}

// admission is how a client is served that was not refused.
type admission struct {
	server *login.ServerConn
	mode   session.Mode
	pooled bool   // server is a pooler's, or may be
	pid    uint32 // as the client is told
}

// errReplaced is what a client hears that comes too late.
var errReplaced = login.Fatal("57P01", "terminating connection due to administrator command", "devguard has replaced this generation of the app.")

// admit finds out how the client is to be served and opens its session; nil when
// it was refused.
func (u *upstream) admit(ctx context.Context, s *clientSession, c *login.Client) *admission {
	if c.Server != nil {
		return u.admitRelayed(ctx, s, c)
	}
	if !u.sessions.awaitResume(ctx) {
		return nil
	}
	if user := u.id.User; c.User != user {
		c.Refuse(login.Fatal("28000", fmt.Sprintf("this address is for the user %q, not for %q", user, c.User),
			"It stands for the URL that devguard was given, whose password is of no use to another user."))
		return nil
	}
	m := u.prober.settle(ctx)
	if m == modeTransaction && replicates(c.Params) {
		c.Refuse(login.Fatal("08P01", "a transaction pooler cannot carry replication", "Use the direct URL of the database."))
		return nil
	}
	v, _ := u.prober.result()
	w := want{database: c.Database, params: c.Params, private: c.Encrypted}.of(c.Gen, u.labels, v)
	server, err := u.spares.session(ctx, c.Gen, w)
	if err != nil {
		u.refuse(ctx, c, err)
		return nil
	}
	if m == modeAuto { // it could not be reached a moment ago
		if m = u.prober.settle(ctx); m == modeAuto {
			m = modeTransaction // right on any server
		}
	}
	if m == modeTransaction {
		return &admission{server, session.Rewrite, u.prober.pooled(), login.NewPID()}
	}
	if m == modeSession {
		u.spares.remember(s.gen, s.since, w)
	}
	return &admission{server, session.Pass, u.prober.pooled(), server.PID}
}

// admitRelayed is admit for a client whose login the upstream itself has accepted.
func (u *upstream) admitRelayed(ctx context.Context, _ *clientSession, c *login.Client) *admission {
	if c.Gen == 0 {
		u.log.stranger(u.name, c)
	}
	how := session.Pass
	if m := u.prober.settle(ctx); m == modeTransaction || m == modeAuto {
		how = session.Rewrite
	}
	return &admission{c.Server, how, u.prober.pooled(), c.Server.PID}
}

// replicates reports whether a startup message asks for a replication connection.
func replicates(params map[string]string) bool {
	switch params["replication"] {
	case "", "0", "false", "off", "no":
		return false
	}
	return true
}

// refuse passes on why there is no session, and gives up on standing in between
// when that is ours alone.
func (u *upstream) refuse(ctx context.Context, c *login.Client, err error) {
	if ctx.Err() != nil { // it was told to end, not the server
		c.Refuse(errReplaced)
		return
	}
	if login.Unreachable(err) {
		c.Reset()
	} else {
		c.Refuse(refusalFor(err, u.name, u.access()))
	}
	if c.Encrypted && isCertificate(err) {
		u.mismatches.hear(c.Gen, login.WantsTLS) // its code may check less than its URL asks for
	}
	u.prober.fallBackIfOurs(err)
}

// relay passes what client and session say until both have ended.
func (u *upstream) relay(ctx context.Context, s *clientSession, c *login.Client, a *admission, o *observer) *relay.Report {
	r := relay.New(c.Conn, relay.Upstream{Conn: a.server.Conn, Cancel: a.server.Cancel}, session.New(session.Options{Mode: a.mode, Pooled: a.pooled}), relay.Options{
		FinishTimeout: finishTime(u.access().timeout), OnEvents: o.take,
	})
	forget, err := c.Welcome(a.server, a.pid, r.Cancel)
	defer forget()
	if err != nil {
		s.cancel() // the client is gone: Run ends at once, and the session with it
	}
	if !u.sessions.begin(s, a.server, r) {
		r.End(errReplaced)
	}
	report := r.Run(ctx)
	if report.Lost && ctx.Err() == nil {
		// The server has ended a session by itself, and may come back as another one.
		u.prober.forget(func(verdict) bool { return true })
	}
	return &report
}

// shortestFinish is how long a session has at least to be cancelled and rolled back
// before its connections are closed, however short the drain timeout. Behind a pooler
// that is worth a wait: a query whose connection is closed goes on there, locks and
// all, and nobody can cancel it any more. A guess: it takes milliseconds, on a machine
// with nothing to spare more than half a second (measured).
const shortestFinish = 2 * time.Second

// finishTime is how long the end of a session may take on an upstream with this
// drain_timeout.
func finishTime(timeout time.Duration) time.Duration { return max(timeout, shortestFinish) }

// observer hears what one session has seen. Its relay calls it, one call at a time.
type observer struct {
	u    *upstream
	gen  int
	left bool // the client has sent Terminate
}

func (o *observer) take(events []session.Event) {
	for _, e := range events {
		switch e.Kind {
		case session.Terminated:
			o.left = true
		case session.Conflict:
			if o.u.conflicts.add(o.gen, e) {
				logline.Conflict(o.gen, e.SQLState, e.Fingerprint, o.u.name).To(o.u.log.Logger)
			}
		case session.Uncarried:
			o.u.log.notCarried(o.u.name, e.Feature)
			o.u.uncarried.add(o.gen, e.Feature)
		}
	}
}
