package guard

import (
	"context"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// kind is what is behind a URL, in the words of the log.
type kind string

const (
	postgres          kind = "postgres"
	sessionPooler     kind = "session-pooler"
	transactionPooler kind = "transaction-pooler"
	unknown           kind = "unknown"
)

// verdict is what a probe found.
type verdict struct {
	kind      kind
	reason    string // one line, for the log
	reached   bool   // something answered
	connected bool   // we had a session
	checks    bool   // a session may be given client_connection_check_interval
}

// pooled reports whether sessions may exist there that carry the app's label
// and are a pooler's: also when we could not find out.
func (v verdict) pooled() bool { return v.kind != postgres && v.reached }

// probing is one probe; verdict may be read once done is closed.
type probing struct {
	done    chan struct{}
	verdict verdict
}

// result returns the verdict, and false while the probe is under way.
func (p *probing) result() (verdict, bool) {
	if p == nil {
		return verdict{}, false
	}
	select {
	case <-p.done:
		return p.verdict, true
	default:
		return verdict{}, false
	}
}

// ensureProbe starts a probe of u, unless one is under way or has found out.
func (g *Guard) ensureProbe(u *upstream) {
	g.mu.Lock()
	if v, done := u.probe.result(); u.probe != nil && (!done || v.kind != unknown) {
		g.mu.Unlock()
		return
	}
	p := &probing{done: make(chan struct{}), verdict: verdict{kind: unknown, reason: "devguard is stopping"}}
	u.probe = p
	to := u.access
	g.mu.Unlock()
	run := func() {
		defer close(p.done)
		var failed error
		p.verdict, failed = probe(g.ctx, to.config)
		if failed != nil {
			t := explain(failed, to.settings)
			p.verdict = verdict{kind: unknown, reason: t.reason, reached: t.reached}
		}
		if failed != nil {
			g.fallIfOurs(u, failed)
		}
		if g.ctx.Err() == nil {
			g.sayKind(u, p.verdict)
		}
	}
	if !g.background(run) {
		close(p.done)
	}
}

// verdictOf returns what is known of u now.
func (g *Guard) verdictOf(u *upstream) (verdict, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return u.probe.result()
}

// verdictOn returns what is known of a server, from any upstream of it: what it
// is does not depend on the database.
func (g *Guard) verdictOn(server string) (verdict, bool) {
	for _, u := range g.known() {
		if v, known := g.verdictOf(u); known && u.id.Server == server && v.kind != unknown {
			return v, true
		}
	}
	return verdict{}, false
}

// awaitProbe waits for the probe of u as long as ctx allows. An upstream that
// is not ours to probe is unknown.
func (g *Guard) awaitProbe(ctx context.Context, u *upstream) verdict {
	g.mu.Lock()
	p := u.probe
	g.mu.Unlock()
	if p != nil {
		select {
		case <-p.done:
			return p.verdict
		case <-ctx.Done():
		}
	}
	return verdict{kind: unknown, reason: "not known yet", reached: true}
}

// probe finds out what is behind a URL, with one session for a server reached
// directly and two for anything else. The error is about reaching it.
func probe(ctx context.Context, config *pgconn.Config) (verdict, error) {
	l, err := dialLine(ctx, config)
	if err != nil {
		return verdict{}, err
	}
	defer l.close(ctx)
	version := l.conn.ParameterStatus("server_version")
	v := verdict{kind: postgres, reached: true, connected: true}
	if !l.direct || (!l.mapped && !l.me.Unix()) {
		// A pid that is not the server's, or an address that is not ours:
		// something stands in between, perhaps only a network.
		v = probePooler(ctx, l, config)
	}
	if v.kind != postgres {
		return v, nil
	}
	v.checks = allowsChecks(ctx, l.conn, version)
	v.reason = "PostgreSQL " + version + ", reached directly"
	if !l.mapped {
		v.reason += "; sessions are found by their label alone: the server does not see this machine's own ports"
	}
	return v, nil
}

// allowsChecks reports whether the server takes
// client_connection_check_interval: since 14, and only where its kernel can
// tell that a client has gone (on 14 that is Linux), so it is tried.
func allowsChecks(ctx context.Context, conn *pgconn.PgConn, version string) bool {
	if major(version) < 14 {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	_, err := conn.Exec(ctx, "set client_connection_check_interval = 1000").ReadAll()
	return err == nil
}

// major returns the major version of a server_version, 0 when it has none.
func major(version string) int {
	digits := strings.FieldsFunc(version, func(r rune) bool { return r < '0' || r > '9' })
	if len(digits) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(digits[0])
	return n
}

// verdict completes what was found out about a pooler.
func (k kind) verdict(detail string) verdict {
	return verdict{kind: k, reached: true, connected: true, reason: detail}
}
