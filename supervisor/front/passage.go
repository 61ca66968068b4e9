package front

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/devguard/devguard/supervisor/gate"
)

// passage is the gate with what its verdicts are carried out by.
type passage struct {
	mu       sync.Mutex
	gate     *gate.Gate
	upstream *upstream              // of the newest generation; nil before the first
	streams  map[gate.ID]openStream // those whose end only the app or the client brings
	moved    chan struct{}          // closed, and made anew, when a verdict may have become another
	fewer    chan struct{}          // has a value when less may be owed
}

// openStream is one that was answered and goes on.
type openStream struct {
	gen  int
	when ending
	end  func()
}

// ending says when a stream is ended for a stop of the app.
type ending int

const (
	atOnce ending = iota + 1 // before the signal: neither side has said anything
	later                    // after it: the app may end it better
)

func newPassage(hold time.Duration) *passage {
	return &passage{
		gate:    gate.New(gate.Options{Hold: hold}),
		streams: map[gate.ID]openStream{},
		moved:   make(chan struct{}),
		fewer:   make(chan struct{}, 1),
	}
}

// ticket is one request, or one connection that is carried to the app as it is.
type ticket struct {
	passage *passage
	id      gate.ID
	over    sync.Once
}

// decision is a verdict with what it asks for.
type decision struct {
	gate.Verdict
	upstream *upstream       // of gate.Send
	moved    <-chan struct{} // of gate.Wait
}

// failure is a request that is not sent, or not sent again.
type failure struct {
	gate.Fail
	err error // of the last try; may be nil
}

func (f *failure) Error() string {
	if f.err != nil {
		return fmt.Sprintf("%s: %v", f.Cause, f.err)
	}
	return f.Cause.String()
}

func (f *failure) Unwrap() error { return f.err }

func (p *passage) arrive(r gate.Request) (*ticket, decision) {
	p.mu.Lock()
	defer p.mu.Unlock()
	id, v := p.gate.Arrive(time.Now(), r)
	return &ticket{passage: p, id: id}, p.carriedOut(v)
}

// decide has the gate decide about a request.
func (p *passage) decide(ask func(g *gate.Gate, now time.Time) gate.Verdict) decision {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.carriedOut(ask(p.gate, time.Now()))
}

// carriedOut needs the lock.
func (p *passage) carriedOut(v gate.Verdict) decision {
	return decision{v, p.upstream, p.moved}
}

// change tells the gate something of the app, and has those that wait ask again.
func (p *passage) change(tell func(*gate.Gate)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	tell(p.gate)
	close(p.moved)
	p.moved = make(chan struct{})
}

// started has requests go to another generation, once it is ready.
func (p *passage) started(up *upstream) {
	p.change(func(g *gate.Gate) {
		p.upstream = up
		g.Started(up.gen)
	})
}

// await returns where a request is to be sent, or a *failure, or the cause of ctx's end.
func (t *ticket) await(ctx context.Context, d decision, last error) (*upstream, error) {
	for {
		switch v := d.Verdict.(type) {
		case gate.Send:
			return d.upstream, nil
		case gate.Fail:
			return nil, &failure{v, last}
		case gate.Wait:
			timer := time.NewTimer(time.Until(v.Until))
			select {
			case <-d.moved:
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
				return nil, context.Cause(ctx)
			}
			timer.Stop()
			d = t.passage.decide(func(g *gate.Gate, now time.Time) gate.Verdict { return g.Ask(t.id, now) })
		}
	}
}

// unsent says that the app has got nothing of it.
func (t *ticket) unsent() decision {
	return t.passage.decide(func(g *gate.Gate, now time.Time) gate.Verdict { return g.Unsent(t.id, now) })
}

// broken says that the app may have seen it, and does not answer.
func (t *ticket) broken() decision {
	return t.passage.decide(func(g *gate.Gate, _ time.Time) gate.Verdict { return g.Broken(t.id) })
}

// answered says that the head of the answer has come; of a stream, how it can be ended. A stream
// without that is ended by nobody but the app and the client.
func (p *passage) answered(id gate.ID, kind gate.Kind, s *openStream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gate.Answered(id, time.Now(), kind)
	if s != nil {
		p.streams[id] = *s
	}
	p.tellSettle()
}

// done says that nothing more comes of it. It may be called more than once.
func (t *ticket) done() { t.over.Do(func() { t.passage.remove(t.id) }) }

func (p *passage) remove(id gate.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gate.Over(id)
	delete(p.streams, id)
	p.tellSettle()
}

// tellSettle says that less may be owed.
func (p *passage) tellSettle() {
	select {
	case p.fewer <- struct{}{}:
	default: // it is about to look
	}
}

// settle waits until a generation owes no answer, or ctx ends.
func (p *passage) settle(ctx context.Context, gen int) {
	for began := time.Now(); ; {
		n, look := p.unanswered(gen, began)
		if n == 0 {
			return
		}
		var tick <-chan time.Time
		if !look.IsZero() {
			tick = time.After(time.Until(look))
		}
		select {
		case <-p.fewer:
		case <-tick:
		case <-ctx.Done():
			return
		}
	}
}

func (p *passage) unanswered(gen int, began time.Time) (int, time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gate.Unanswered(gen, began, time.Now())
}

// endStreams ends streams of a generation, and returns how many.
func (p *passage) endStreams(gen int, when ending) int {
	ends := p.streamsOf(gen, when)
	for _, end := range ends {
		end()
	}
	return len(ends)
}

func (p *passage) streamsOf(gen int, when ending) (ends []func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.streams {
		if s.gen == gen && s.when == when {
			ends = append(ends, s.end)
		}
	}
	return ends
}

// serves reports whether requests are sent to that generation.
func (p *passage) serves(gen int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	current, ok := p.gate.Serving()
	return ok && current == gen
}

// current returns the newest generation's upstream.
func (p *passage) current() *upstream {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.upstream
}

// spoke says that a connection on which nobody had said anything is one to be left to the app.
func (p *passage) spoke(id gate.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.streams, id)
}

// onlyReads reports whether a request asks for no change, and has no body.
func onlyReads(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && (r.Body == nil || r.Body == http.NoBody)
}
