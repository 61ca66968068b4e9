package gate

import (
	"fmt"
	"time"
)

// ID names one request. 0 is none.
type ID uint64

// exchange is one request and how far it is: one of the types below, with what is known in that
// state alone.
type exchange interface{ exchange() }

type (
	// waiting: nothing of it has reached the app.
	waiting struct {
		until   time.Time // when it has waited for as long as it may
		request Request
		refused refusal
	}

	// sent: it was given to that generation, which owes the answer.
	sent struct {
		gen   int
		since time.Time
		waiting
	}

	// answering: the head of the answer has come, its body is coming.
	answering struct {
		gen   int
		since time.Time // when the head came
		kind  Kind
	}
)

func (waiting) exchange()   {}
func (sent) exchange()      {}
func (answering) exchange() {}

// refusal is that a generation took no connection, since when, and when that is tried again. The
// zero refusal is none.
type refusal struct {
	gen          int
	since, retry time.Time
}

// How often a generation that takes no connection is tried again, and for how long. It was ready,
// so that either its end is about to be noticed, or it does not listen where it was told to; both
// numbers are guesses.
const (
	retryEvery = 20 * time.Millisecond
	retryFor   = 2 * time.Second
)

// settled is for how long an answer of unknown length counts as unanswered: after that it is taken
// for a stream. A page that is rendered in pieces is over by then (a guess).
const settled = time.Second

// Kind says how an answer ends.
type Kind int

// The kinds of answers.
const (
	Sized   Kind = iota + 1 // its length is known
	Unsized                 // the app says when it ends
	Stream                  // it may never end: server-sent events, an upgraded connection
)

// Verdict is what is done with a request next: one of the types below.
type Verdict interface{ verdict() }

type (
	// Send it to that generation.
	Send struct{ Gen int }

	// Wait until then, or until the phase of the app has changed, and ask again.
	Wait struct{ Until time.Time }

	// Fail it: answer in the place of the app.
	Fail struct {
		Cause  Cause
		Reason string // of Down, Crashed and NotReady, for people
	}
)

func (Send) verdict() {}
func (Wait) verdict() {}
func (Fail) verdict() {}

// Cause is why a request fails.
type Cause int

// The causes.
const (
	Down     Cause = iota + 1 // no generation runs, and none is on its way
	Crashed                   // no generation runs, and the next one comes after a pause
	Held                      // it has waited for as long as it may
	NotReady                  // the generation was not ready in time, and takes no connection
	Refused                   // the generation takes no connection
	Lost                      // the app may have seen it, and did not answer
	Closing                   // devguard ends
)

func (c Cause) String() string {
	return [...]string{"", "down", "crashed", "held", "not ready", "refused", "lost", "closing"}[c]
}

// Request is what the rules ask of a request.
type Request struct {
	// Page: it is of somebody who looks at a page, which comes back by itself. It does not wait for an
	// app that has crashed. Others wait for the start after the first crash, which most often mends it;
	// the one after the second crash in a row is likely to crash as well, and nobody waits.
	Page bool
	// Reads: it asks for no change, and has no body, so that it may be a long poll.
	Reads bool
}

// Arrive takes up a request.
func (g *Gate) Arrive(now time.Time, r Request) (ID, Verdict) {
	g.last++
	return g.last, g.decide(g.last, waiting{until: now.Add(g.hold), request: r}, now)
}

// Ask returns what is done with a request that waits.
func (g *Gate) Ask(id ID, now time.Time) Verdict {
	return g.decide(id, g.must(id).(waiting), now)
}

// Unsent says that a request did not reach the generation that it was sent to: there was no
// connection, or nothing was written on it.
func (g *Gate) Unsent(id ID, now time.Time) Verdict {
	s := g.must(id).(sent)
	w := s.waiting
	if w.refused.gen != s.gen {
		w.refused = refusal{gen: s.gen, since: now}
	}
	w.refused.retry = now.Add(retryEvery)
	return g.decide(id, w, now)
}

// Broken says that there is no answer to a request that the app may have seen.
func (g *Gate) Broken(id ID) Verdict {
	_ = g.must(id).(sent)
	return Fail{Cause: Lost}
}

// Answered says that the head of an answer has come.
func (g *Gate) Answered(id ID, now time.Time, kind Kind) {
	g.exchanges[id] = answering{g.must(id).(sent).gen, now, kind}
}

// Over says that a request is answered, by whomever, or its client is gone.
func (g *Gate) Over(id ID) {
	g.must(id)
	delete(g.exchanges, id)
}

func (g *Gate) must(id ID) exchange {
	e, known := g.exchanges[id]
	if !known {
		panic(fmt.Sprintf("BUG: request %d is not under way", id))
	}
	return e
}

// decide says what is done with a request of which nothing has reached the app.
func (g *Gate) decide(id ID, w waiting, now time.Time) Verdict {
	g.exchanges[id] = w
	switch p := g.phase.(type) {
	case closing:
		return Fail{Cause: Closing}
	case down:
		return Fail{Cause: Down, Reason: p.reason}
	case crashed:
		if w.request.Page || p.inARow > 1 {
			return Fail{Cause: Crashed, Reason: p.reason}
		}
	case serving:
		return g.send(id, w, p.gen, now, Fail{Cause: Refused}, retryFor)
	case unready:
		return g.send(id, w, p.gen, now, Fail{Cause: NotReady, Reason: p.reason}, 0)
	}
	if !now.Before(w.until) {
		return Fail{Cause: Held}
	}
	return Wait{w.until}
}

// send sends a request to a generation, unless that has refused it already: then it is tried for
// some time, and fails after that.
func (g *Gate) send(id ID, w waiting, gen int, now time.Time, failed Fail, within time.Duration) Verdict {
	r := w.refused
	if r.gen == gen && now.Before(r.retry) {
		end := r.since.Add(within)
		if w.until.Before(end) {
			end = w.until
		}
		if r.retry.After(end) {
			return failed
		}
		return Wait{r.retry}
	}
	g.exchanges[id] = sent{gen, now, w}
	return Send{gen}
}

// A request that only reads, and that had no answer for pollAge when a stop began, is taken for a long
// poll, which the app answers when something happens: that would be at the end of the grace. It is
// waited for no longer than pollWait. Both are guesses.
const (
	pollAge  = 2 * time.Second
	pollWait = time.Second
)

// Unanswered returns how many requests a generation owes an answer that is asked to stop since began, and
// when there may be fewer without anybody having said so; zero for never.
func (g *Gate) Unanswered(gen int, began, now time.Time) (n int, look time.Time) {
	for _, e := range g.exchanges {
		owed, until := owes(e, gen, began)
		if !owed || !until.IsZero() && !now.Before(until) {
			continue
		}
		n++
		if !until.IsZero() && (look.IsZero() || until.Before(look)) {
			look = until
		}
	}
	return n, look
}

// owes reports whether an answer is waited for, and until when; zero for as long as it takes.
func owes(e exchange, gen int, began time.Time) (owed bool, until time.Time) {
	switch e := e.(type) {
	case sent:
		if e.request.Reads && began.Sub(e.since) > pollAge {
			until = began.Add(pollWait)
		}
		return e.gen == gen, until
	case answering:
		if e.kind == Unsized {
			until = e.since.Add(settled)
		}
		return e.gen == gen && e.kind != Stream, until
	}
	return false, time.Time{}
}
