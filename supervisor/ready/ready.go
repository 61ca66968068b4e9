package ready

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// DefaultTimeout is used when Rule.Timeout is not positive.
const DefaultTimeout = 30 * time.Second

// DefaultAlive is used when Target.Alive is 0.
const DefaultAlive = time.Second

// Rule is [ready] of the configuration. With neither HTTP nor TCP the first
// listening socket of the process tree decides; with both, HTTP.
type Rule struct {
	HTTP    string // a path, or a full http or https URL
	TCP     string // host:port, :port or a port; no host means this one
	Timeout time.Duration
}

// Target is the instance that is awaited.
type Target struct {
	// Listening returns the listening TCP sockets of the instance's process
	// tree. It is called from one goroutine, many times.
	Listening func() []netip.AddrPort
	// Listens is sent to when the tree may listen on one more socket, which is looked for at once then.
	// Nil: never.
	Listens <-chan struct{}
	// Untaken reports whether a connect to the address succeeds although the
	// instance does not listen there: its listening socket is held for it. An
	// address without an IP is any one of this machine. Nil: never.
	Untaken func(netip.AddrPort) bool
	// RunsSince is since when no debugger has stopped the instance; false while one has, so that it
	// cannot become ready. Nil: since it was started.
	RunsSince func() (time.Time, bool)
	// Alive is how long the instance runs before it counts as ready although it listens on nothing.
	// 0: DefaultAlive.
	Alive time.Duration
	// Dial connects to addresses of the rule. Nil: a net.Dialer does.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Exited is closed when the process has ended.
	Exited <-chan struct{}
	// Started is when the process was started; zero means now.
	Started time.Time
}

// Result says how the instance became ready.
type Result struct {
	Rule    string        // http, tcp, listening or alive
	Took    time.Duration // since Target.Started
	Awaited string        // what was awaited, for people: "GET /healthz on 127.0.0.1:8080"
}

// ErrExited is returned when the process ended before it was ready.
var ErrExited = errors.New("the process ended before it was ready")

// TimeoutError is returned when the instance was not ready in time.
type TimeoutError struct {
	Awaited string
	Last    string // what was seen last: "connection refused", "status 503 Service Unavailable"
	After   time.Duration
	hint    string
}

// Error says what was awaited and what was seen instead.
func (e *TimeoutError) Error() string {
	return fmt.Sprintf("not ready after %v: awaited %s, last seen: %s", e.After, e.Awaited, e.Last)
}

// Hint says what to do next, or is empty.
func (e *TimeoutError) Hint() string { return e.hint }

// look is the outcome of one look at the instance.
type look struct {
	ok      bool
	awaited string // may become more exact with every look
	last    string // what was seen, when not ok
	hint    string
}

// check looks once. An error ends the waiting: the rule can never be met.
type check interface {
	look(ctx context.Context) look
	rule() string
}

// Wait returns when the instance is ready by the rule. The error is ErrExited,
// a *TimeoutError, the cause of ctx's end, or says what is wrong with the rule.
func Wait(ctx context.Context, rule Rule, target Target) (Result, error) {
	if target.Started.IsZero() {
		target.Started = time.Now()
	}
	if rule.Timeout <= 0 {
		rule.Timeout = DefaultTimeout
	}
	target.Alive = cmp.Or(target.Alive, DefaultAlive)
	if target.Dial == nil {
		target.Dial = (&net.Dialer{}).DialContext
	}
	c, err := newCheck(rule, target)
	if err != nil {
		return Result{}, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-target.Exited:
			cancel(ErrExited)
		case <-ctx.Done():
		}
	}()
	defer func() {
		cancel(nil)
		<-watched
	}()
	for from := target.Started; ; {
		res, err := poll(ctx, c, rule.Timeout, from, target.Listens)
		if err == nil {
			res.Took = time.Since(target.Started)
			return res, nil
		}
		var late *TimeoutError
		since := target.runsSince()
		if !errors.As(err, &late) || !since.After(from) {
			return res, err
		}
		from = since
	}
}

// runsSince is RunsSince, and now while the instance is stopped.
func (t Target) runsSince() time.Time {
	if t.RunsSince == nil {
		return t.Started
	}
	if since, runs := t.RunsSince(); runs {
		return since
	}
	return time.Now()
}

// newCheck picks the check of the rule.
func newCheck(rule Rule, target Target) (check, error) {
	switch {
	case rule.HTTP != "":
		return newHTTPCheck(rule.HTTP, target)
	case rule.TCP != "":
		return newTCPCheck(rule.TCP, target)
	}
	return &socketCheck{target: target}, nil
}

// poll looks until the check is ok, or the timeout after from is over: now and then, and when told to.
func poll(ctx context.Context, c check, timeout time.Duration, from time.Time, now <-chan struct{}) (Result, error) {
	deadline := from.Add(timeout)
	timed, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	seen := look{awaited: c.rule(), last: "nothing yet"}
	for first := true; ; first = false {
		begin := time.Now()
		l := c.look(timed)
		switch {
		case ctx.Err() != nil: // also when ok: then somebody else answered
			return Result{}, context.Cause(ctx)
		case l.ok:
			return Result{Rule: c.rule(), Awaited: l.awaited}, nil
		case first || time.Now().Before(deadline):
			// A look cut short says nothing new. The clock is asked, not
			// timed: a dialer notices the deadline before the context does.
			seen = l
		}
		pause := time.NewTimer(step(time.Since(from), time.Since(begin)))
		select {
		case <-pause.C:
		case <-now:
			pause.Stop()
		case <-timed.Done():
			pause.Stop()
			if ctx.Err() != nil {
				return Result{}, context.Cause(ctx)
			}
			return Result{}, &TimeoutError{Awaited: seen.awaited, Last: seen.last, After: timeout, hint: seen.hint}
		}
	}
}

// step is the time between two looks. What a look may delay is kept a small
// share of what the start took anyway, and looking a small share of one CPU.
func step(waited, cost time.Duration) time.Duration {
	return max(time.Millisecond, min(waited/50, 100*time.Millisecond), min(3*cost, 100*time.Millisecond))
}
