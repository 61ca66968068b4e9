package guard

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"
)

// prober finds out what is behind an endpoint, and by that decides the mode.
type prober struct {
	*endpoint
	log        *logger
	work       *background
	onFallback func() // called once, when the app is to go past us from now on; it may have our address

	mu       sync.Mutex
	latest   *probing // nil when there is none that counts
	last     verdict  // of the last probe that had a session; the zero value: none had
	fallback string   // why the app goes past us for good; "" when it does not
}

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

// ensure starts a probe, unless one is under way or has found out.
func (p *prober) ensure() {
	now := p.begin()
	if now == nil {
		return
	}
	to := p.access()
	if !p.work.start(func() { p.run(now, to) }) {
		close(now.done)
	}
}

// begin returns a probe that the caller is to run, nil when none is wanted.
func (p *prober) begin() *probing {
	p.mu.Lock()
	defer p.mu.Unlock()
	if v, done := p.latest.result(); p.latest != nil && (!done || v.kind != unknown) {
		return nil
	}
	p.latest = &probing{done: make(chan struct{}), verdict: verdict{kind: unknown, reason: "devguard is stopping"}}
	return p.latest
}

func (p *prober) run(now *probing, to *access) {
	defer close(now.done)
	var failed error
	if now.verdict, failed = probe(p.work.ctx, to.config); failed != nil {
		t := explain(failed, to.settings)
		now.verdict = verdict{kind: unknown, reason: t.reason, reached: t.reached}
		p.fallBackIfOurs(failed)
	}
	if p.work.ctx.Err() == nil {
		p.say(now.verdict)
	}
}

// remember keeps a verdict that a session has led to, and returns the last such one.
func (p *prober) remember(v verdict) (last verdict) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if v.connected {
		p.last = v
	}
	return p.last
}

// result returns what is known now.
func (p *prober) result() (verdict, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.latest.result()
}

// pooled reports whether sessions are a pooler's, or may be.
func (p *prober) pooled() bool {
	v, _ := p.result()
	return v.kind != postgres
}

// await waits for the probe as long as ctx allows. What is not ours to probe is
// unknown.
func (p *prober) await(ctx context.Context) verdict {
	p.mu.Lock()
	now := p.latest
	p.mu.Unlock()
	if now != nil {
		select {
		case <-now.done:
			return now.verdict
		case <-ctx.Done():
		}
	}
	return verdict{kind: unknown, reason: "not known yet", reached: true}
}

// forget makes the next one who asks probe again, if what is known is doubted.
func (p *prober) forget(doubted func(verdict) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if v, done := p.latest.result(); done && doubted(v) {
		p.latest = nil
	}
}

// mode returns what is done with the sessions; modeAuto while that is not known.
func (p *prober) mode() mode {
	v, _ := p.result()
	return decide(p.access().wish, p.fallbackReason(), v)
}

// settle returns the mode for a client that has come: it waits for the probe, and
// probes again a server that could not be reached. modeAuto is the answer when that
// is so still.
func (p *prober) settle(ctx context.Context) mode {
	p.probeUntil(ctx, func() bool { return p.mode() != modeAuto })
	return p.mode()
}

// probeUntil reports whether known holds, and probes a server that could not be reached when it
// does not.
func (p *prober) probeUntil(ctx context.Context, known func() bool) bool {
	for range 2 { // the probe under way may have begun while the server was down
		if known() {
			return true
		}
		p.ensure()
		p.await(ctx)
	}
	return known()
}

// reached reports whether the server has answered the last probe.
func (p *prober) reached() bool {
	v, done := p.result()
	return done && (v.kind != unknown || v.reached)
}

// reach reports whether the server answers now, and probes again one that did not.
func (p *prober) reach(ctx context.Context) bool { return p.probeUntil(ctx, p.reached) }

// fallBack sends the app past us from its next start on. It returns false when that
// was so already.
func (p *prober) fallBack(reason string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fallback != "" {
		return false
	}
	p.fallback = reason
	return true
}

// fallbackReason returns why the app goes past us for good, "" when it does not.
func (p *prober) fallbackReason() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fallback
}

// say writes the `database` line, when it has changed, as if v were known: the probe
// that says it is not over. Of a server that does not answer it says what it was.
func (p *prober) say(v verdict) {
	fallback, to, last := p.fallbackReason(), p.access(), p.remember(v)
	m := decide(to.wish, fallback, v)
	if m == modeAuto {
		m = decide(to.wish, fallback, last)
	}
	line, warn := databaseLine(m, fallback, v.asLast(last))
	line.Name, line.Env = p.name, strings.Join(to.variables, ",")
	p.log.database(p.name, line, warn)
}

// fallBackIfOurs gives up on standing between the app and its server when we cannot log
// in for a reason that the app would not have: it must never be worse off for us.
func (p *prober) fallBackIfOurs(err error) {
	to := p.access()
	if to.wish != modeAuto || p.work.ctx.Err() != nil || !oursAlone(err) {
		return
	}
	p.giveUp("devguard cannot log in as the app can: " + explain(err, to.settings).reason)
}

// giveUp has the app go past us for good, and says so, the first time.
func (p *prober) giveUp(reason string) {
	if !p.fallBack(reason) {
		return
	}
	v, _ := p.result()
	p.say(v)
	p.onFallback()
}

// oursAlone reports whether a connect failed for a reason that the app's own
// driver would not have. What a server says, a network and a certificate say to
// both.
func oursAlone(err error) bool {
	var server *pgconn.PgError
	var network net.Error
	switch {
	case errors.As(err, &server), errors.As(err, &network), timedOut(err), isCertificate(err):
		return false
	case errors.Is(err, context.Canceled), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return false
	}
	return !refusesTLS(err)
}

// noTLS is what pgconn says, which has no type for it, where a server has no TLS.
const noTLS = "server refused TLS connection"

// refusesTLS reports whether a server has no TLS for a connect that wants it.
func refusesTLS(err error) bool { return strings.Contains(err.Error(), noTLS) }
