package guard

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devguard/devguard/dbguard/activity"
	"github.com/devguard/devguard/dbguard/dsn"
	"github.com/devguard/devguard/dbguard/sockets"
	"github.com/devguard/devguard/supervisor/logline"
)

const (
	// firstPoll and lastPoll bound the wait between two looks at sessions that
	// were told to end: an idle one is gone after a millisecond or two, one with
	// a large transaction takes its time.
	firstPoll = time.Millisecond
	lastPoll  = 20 * time.Millisecond
	// fullPoll is the wait before another try at a server without a free
	// session: the sessions of the dead app are about to free some.
	fullPoll = 20 * time.Millisecond
	// describeTime is a guess that a busy laptop and a server 200 ms away keep.
	describeTime = 400 * time.Millisecond
)

// Drain ends what the servers still hold of the app's generations up to gen,
// whose processes must be gone, verifies that and logs it, once for each
// upstream. It returns when that is done, or after the drain timeout.
func (g *Guard) Drain(ctx context.Context, gen int) {
	used := g.usedBy(gen)
	dials := map[*upstream]*dialing{}
	for _, u := range used {
		dials[u] = g.takeDial(u)
	}
	conns, noted := g.notedUntil(gen)
	var all sync.WaitGroup
	for _, u := range used {
		all.Go(func() {
			d := drain{g: g, u: u, to: g.access(u), gen: gen, conns: slices.Clone(conns), noted: noted, dials: dials, ahead: dials[u]}
			d.run(ctx)
		})
	}
	all.Wait()
	g.forget(used, gen)
}

// notedUntil returns the sockets noted of generations up to gen, and whether
// generation gen was looked at.
func (g *Guard) notedUntil(gen int) (conns []sockets.Conn, noted bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for n, list := range g.noted {
		if n <= gen {
			conns = append(conns, list...)
		}
	}
	_, noted = g.noted[gen]
	return conns, noted
}

// forget makes upstreams that were drained up to gen wait for the next
// generation that is given them.
func (g *Guard) forget(used []*upstream, gen int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, u := range used {
		u.first = 0
		if u.last > gen {
			u.first = gen + 1
		}
	}
	for n := range g.noted {
		if n <= gen {
			delete(g.noted, n)
		}
	}
}

// drain is the end of the generations up to gen on one upstream.
type drain struct {
	g     *Guard
	u     *upstream
	to    *access
	gen   int                    // 0: only sessions of previous runs
	conns []sockets.Conn         // the app's, of those generations
	noted bool                   // conns are all that generation gen had when it was told to stop
	dials map[*upstream]*dialing // of all upstreams drained together
	ahead *dialing               // ours of them, nil when there is none or it was used

	proxied    tally                   // what passed through us and is over
	stuck      map[uint32]sockets.Conn // of that, what did not end in time: the server may have it still; by pid
	line       *line
	sessions   map[activity.Session]bool // ours that were found; true once told to end
	terminated int
	left       []activity.Session
}

// run drains within the upstream's time and reports.
func (d *drain) run(ctx context.Context) {
	begun := time.Now()
	d.sessions = map[activity.Session]bool{}
	ctx, cancel := context.WithTimeout(ctx, d.to.timeout)
	defer cancel()
	d.endProxied(ctx)
	err := d.attempt(ctx)
	for err != nil && d.worthRetry(err) && wait(ctx, fullPoll) {
		d.ahead = nil
		again := d.attempt(ctx)
		if again != nil && timedOut(again) {
			break // that one was cut off: why the last whole one failed says more
		}
		err = again
	}
	d.report(ctx, err, time.Since(begun))
	if d.line != nil {
		// The restart does not wait for the server to let go of our own session.
		d.g.closeLater(ctx, d.line.close)
	}
}

// endProxied ends the sessions that pass through us, and keeps some time for
// those that do not end so.
func (d *drain) endProxied(ctx context.Context) {
	if d.gen == 0 || !d.g.hasListener(d.u) {
		return
	}
	polite, cancel := context.WithTimeout(ctx, d.to.timeout-d.reserve())
	defer cancel()
	d.g.closeSpares(polite, d.u, d.gen)
	d.stuck = d.g.socketsOf(d.g.endProxied(ctx, polite, d.u, d.gen))
	d.proxied = d.g.takeTally(d.u, d.gen)
	for _, c := range d.stuck {
		d.conns = append(d.conns, c)
	}
}

// errNotOurs says that there is nothing to drain or to report.
var errNotOurs = errors.New("the app does not use this upstream")

// errPooled says that nothing can be told apart there.
var errPooled = errors.New("reached through a pooler")

// worthRetry reports whether another session may succeed: always while the
// server is full, once when the session dialled ahead turned out to be broken.
func (d *drain) worthRetry(err error) bool {
	var server *pgconn.PgError
	if errors.As(err, &server) && isFull(server) {
		return true
	}
	return d.ahead != nil && d.line != nil && d.line.conn.IsClosed()
}

// wait waits for a time, and returns false when ctx ends first.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// attempt gets a session and ends with it all that is ours.
func (d *drain) attempt(ctx context.Context) error {
	if d.line != nil {
		d.g.closeLater(ctx, d.line.close) // it is broken: that may take longer than there is time
		d.line = nil
	}
	if err := d.dial(ctx); err != nil {
		return err
	}
	if !d.direct(ctx) {
		return errPooled
	}
	return d.end(ctx)
}

// dial sets the line: the one dialled ahead, else a new one.
func (d *drain) dial(ctx context.Context) (err error) {
	ahead := d.ahead
	if ahead == nil {
		if d.to.role == dsn.Other {
			return errNotOurs // and Note did not see the app use it
		}
		if v, known := d.g.verdictOf(d.u); known && v.kind != postgres && v.kind != unknown {
			return errPooled
		}
		ahead = d.g.beginDial(d.to)
	}
	select {
	case <-ahead.done:
	case <-ctx.Done():
		// Once the Guard is closed the dial ends at once, and can be waited for.
		d.g.closeLater(ctx, ahead.close)
		return ctx.Err()
	}
	if ahead.unused {
		return errNotOurs
	}
	d.line = ahead.line
	return ahead.err
}

// closeLater runs what closes a session in the background, and at once when the
// Guard itself is closed.
func (g *Guard) closeLater(ctx context.Context, f func(context.Context)) {
	if !g.background(func() { f(g.ctx) }) {
		f(ctx)
	}
}

// direct reports whether the line leads to a server itself. Addresses that are
// not translated prove it; else the probe must have compared two sessions.
func (d *drain) direct(ctx context.Context) bool {
	if d.line.mapped || d.line.direct && d.line.me.Unix() {
		return true
	}
	d.g.ensureProbe(d.u)
	return d.line.direct && d.g.awaitProbe(ctx, d.u).kind == postgres
}

// end tells all sessions that are ours to end until none is left, or time is
// short. A session that shows up meanwhile, because the server was still
// starting it, is ended too.
func (d *drain) end(ctx context.Context) error {
	filter := d.filter()
	p := d.proof()
	deadline, _ := ctx.Deadline()
	for poll := firstPoll; ; poll = min(2*poll, lastPoll) {
		found, err := activity.Find(ctx, d.line.conn, filter)
		if err != nil {
			return err
		}
		if d.left = d.ours(ctx, found, p); len(d.left) == 0 {
			return nil
		}
		if err := d.terminate(ctx); err != nil {
			return err
		}
		if time.Until(deadline) < poll+d.reserve() || !wait(ctx, poll) {
			return nil
		}
	}
}

// reserve is how much of the drain timeout is kept for describing what is left:
// more than one round trip to a hosted server, of a short timeout at most half.
func (d *drain) reserve() time.Duration {
	return min(max(d.to.timeout/8, describeTime), d.to.timeout/2)
}

// filter says what to look for.
func (d *drain) filter() activity.Filter {
	f := activity.Filter{Skip: d.g.siblings(d.u)}
	for _, run := range d.g.options.Previous {
		f.Labels = append(f.Labels, labelOf(run))
	}
	if d.gen > 0 {
		f.Labels = append(f.Labels, labelOf(d.g.options.RunID))
	}
	if d.line.mapped {
		server := d.line.remote()
		for _, c := range d.conns {
			if sameServer(c.Remote, server) {
				f.Clients = append(f.Clients, c.Local)
			}
		}
	}
	return f
}

// siblings returns the databases and roles that other upstreams of the same
// server answer for.
func (g *Guard) siblings(u *upstream) (list [][2]string) {
	for _, other := range g.known() {
		if other != u && other.id.Server == u.id.Server {
			list = append(list, [2]string{other.id.Database, other.id.User})
		}
	}
	return list
}

// ours returns the sessions of found that are provably the app's, and reports
// those that merely look like it.
func (d *drain) ours(ctx context.Context, found []activity.Session, p *proof) []activity.Session {
	var list []activity.Session
	for _, s := range found {
		if !d.ended(s) {
			continue
		}
		if _, known := d.sessions[s]; known || p.of(ctx, s) {
			list = append(list, s)
		} else if strings.HasPrefix(s.App, "devguard:") {
			d.g.sayBypass(d.u, s)
		}
	}
	return list
}

// ended reports whether s would be of a generation that has ended: one found
// by its socket is, one found by its label says so.
func (d *drain) ended(s activity.Session) bool {
	number, ofThisRun := strings.CutPrefix(s.App, labelOf(d.g.options.RunID))
	if !ofThisRun {
		return true
	}
	gen, err := strconv.Atoi(number)
	return err == nil && gen <= d.gen
}

// terminate tells those of the left sessions to end that were not told yet.
func (d *drain) terminate(ctx context.Context) error {
	fresh := slices.DeleteFunc(slices.Clone(d.left), func(s activity.Session) bool { return d.sessions[s] })
	for _, s := range fresh {
		d.sessions[s] = false
	}
	if len(fresh) == 0 {
		return nil
	}
	told, err := activity.Terminate(ctx, d.line.conn, fresh)
	if err != nil {
		return err
	}
	d.terminated += told
	for _, s := range fresh {
		d.sessions[s] = true
	}
	return nil
}

// report writes the `drained` line.
func (d *drain) report(ctx context.Context, err error, took time.Duration) {
	d.g.mu.Lock()
	elsewhere := errors.Is(err, errPooled) || errors.Is(err, errNotOurs) // what went past us is not for us to end
	d.u.unclean = err != nil && !elsewhere || len(d.left) > 0
	d.g.mu.Unlock()
	through := d.gen > 0 && d.g.hasListener(d.u)
	if errors.Is(err, errNotOurs) && d.proxied.sessions == 0 || d.gen == 0 && err == nil && len(d.sessions) == 0 {
		return
	}
	line := logline.Drain{Database: d.u.subject, Gen: d.gen, Left: len(d.stuck), Took: took, Sessions: logline.Unknown}
	if err == nil || through {
		d.count(&line, err, through)
	}
	switch {
	case err == nil && line.Left > 0:
		line.Remaining = d.remaining(ctx)
	case err != nil:
		if reason := d.failure(err); !through || !elsewhere {
			line.Reason = reason
		}
	}
	logline.Drained(line).To(d.g.log)
}

// count fills in the counts of the `drained` line. What cannot be known is
// absent: statements of a session that went past us, terminations behind a
// pooler.
func (d *drain) count(line *logline.Drain, err error, through bool) {
	line.Cancelled, line.RolledBack, line.Statements = logline.Unknown, logline.Unknown, logline.Unknown
	line.Terminated = logline.Unknown
	line.Sessions = d.proxied.sessions
	for s := range d.sessions {
		if _, counted := d.stuck[uint32(s.PID)]; !counted {
			line.Sessions++
		}
	}
	if through {
		line.Cancelled, line.RolledBack, line.Statements = d.proxied.cancelled, d.proxied.rolledBack, d.proxied.statements
	}
	if err == nil { // it has looked for all of them
		line.Terminated, line.Left = d.terminated, len(d.left)
	}
}

// failure returns why nothing could be drained, and makes the next generation
// probe again, after a `database` line, if that is news.
func (d *drain) failure(err error) string {
	if errors.Is(err, errNotOurs) {
		return err.Error() // no failure: the probe's verdict stands
	}
	pooled := errors.Is(err, errPooled)
	d.g.mu.Lock()
	if v, done := d.u.probe.result(); done && (!pooled || v.kind == postgres) {
		d.u.probe = nil
	}
	d.g.mu.Unlock()
	if pooled {
		return err.Error()
	}
	if errors.Is(err, context.Canceled) {
		return "cut short"
	}
	t := explain(err, d.to.settings)
	d.g.sayKind(d.u, verdict{kind: unknown, reason: t.reason})
	return t.reason
}

// remaining describes the sessions that did not go, one line each.
func (d *drain) remaining(ctx context.Context) []string {
	details, err := activity.Describe(ctx, d.line.conn, d.left)
	if err != nil {
		return []string{"not known: " + explain(err, d.to.settings).reason}
	}
	lines := []string{}
	for _, s := range details {
		var text strings.Builder
		text.WriteString("pid " + strconv.Itoa(int(s.PID)) + " " + s.State)
		for _, part := range [][2]string{{"query", s.Query}, {"locks", s.Locks}, {"waits", s.Waits}} {
			if part[1] != "" {
				text.WriteString("; " + part[0] + ": " + part[1])
			}
		}
		lines = append(lines, text.String())
	}
	return lines
}
