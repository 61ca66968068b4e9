package guard

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devguard/devguard/dbguard/login"
	"github.com/devguard/devguard/supervisor/logline"
)

const (
	// maxSpares is how many sessions are dialled ahead for a generation.
	maxSpares = 8
	// openingTime is the part of a generation's life by which it is known how many
	// sessions the next one will want.
	openingTime = time.Second
	// spareLife is how long spares wait for the stop of the old generation and the
	// start of the new one, and spareUse how long once that is starting.
	spareLife = 30 * time.Second
	spareUse  = 5 * time.Second
)

// spares are the sessions of one upstream that are dialled ahead for the next
// generation.
type spares struct {
	*endpoint
	log  *logger
	work *background

	mu      sync.Mutex
	opening map[int]opening // how the generations began that are not drained
	gen     int             // for whom spares are dialled now; 0: for nobody
	coming  []*spare        // being dialled, and nobody waits for them
	list    []*spare        // there; also those that the generation before has not used
	never   bool            // the server or a pooler had no session to spare
}

// opening is how a generation began: what its first clients asked for.
type opening struct {
	since time.Time
	wants []want
}

// remember takes down what a client of generation gen asked for, which logged in then.
func (p *spares) remember(gen int, since time.Time, w want) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.opening == nil {
		p.opening = map[int]opening{}
	}
	o, known := p.opening[gen]
	if !known {
		o.since = since
	}
	if len(o.wants) < maxSpares && since.Sub(o.since) < openingTime {
		o.wants = append(o.wants, w)
	}
	p.opening[gen] = o
}

// forget drops how the generations up to gen began.
func (p *spares) forget(gen int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for n := range p.opening {
		if n <= gen {
			delete(p.opening, n)
		}
	}
}

// dialAhead begins to open sessions for generation gen on a server that v is known of,
// as many as the one that still runs had at its beginning. It does nothing the second
// time.
func (p *spares) dialAhead(gen int, l labels, v verdict) {
	for _, s := range p.plan(gen, l, v) {
		if !p.work.start(func() { p.keep(s) }) {
			close(s.ready)
		}
	}
}

// plan returns the spares that are to be dialled for generation gen.
func (p *spares) plan(gen int, l labels, v verdict) []*spare {
	p.mu.Lock()
	defer p.mu.Unlock()
	before, runs := p.latest(gen)
	if !runs || v.kind != postgres || p.never || p.gen >= gen {
		return nil
	}
	p.gen = gen
	var coming []*spare
	for _, w := range before.wants {
		coming = append(coming, &spare{gen: gen, want: w.of(gen, l, v), ready: make(chan struct{}), kept: make(chan struct{})})
	}
	p.coming = append(p.coming, coming...)
	return coming
}

// latest returns how the newest of the generations before gen began that is not
// drained yet. The caller holds mu.
func (p *spares) latest(gen int) (o opening, runs bool) {
	newest := 0
	for n := range p.opening {
		if n < gen && n > newest {
			newest = n
		}
	}
	o, runs = p.opening[newest]
	return o, runs
}

// keep opens a spare and looks after it until somebody takes it or its time is up.
func (p *spares) keep(s *spare) {
	conn, err := reach(p.work.ctx, p.access(), s.want)
	if err != nil {
		p.failed(err)
	}
	s.server = conn
	if !p.arrive(s) {
		return
	}
	s.watch()
	if p.drop(s) {
		s.server.Close() // nobody took it
	}
	close(s.kept)
}

// failed ends the dialling ahead for this run when it takes sessions from others.
func (p *spares) failed(err error) {
	var server *pgconn.PgError
	if !errors.As(err, &server) || p.work.ctx.Err() != nil {
		return
	}
	p.mu.Lock()
	p.never = true
	p.mu.Unlock()
	logline.NoDialAhead(p.name, server.Code).To(p.log.Logger)
}

// arrive puts s among those that are there, and reports whether it is to be kept
// there: not one that a client waits for, and none that nobody wants any more.
func (p *spares) arrive(s *spare) (keep bool) {
	defer close(s.ready)
	waited, keep := p.place(s)
	if !waited && !keep && s.server != nil {
		s.server.Close()
	}
	return keep
}

// place decides for arrive; waited says that a client waits for s.
func (p *spares) place(s *spare) (waited, keep bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.coming, s)
	if i < 0 {
		return true, false
	}
	p.coming = slices.Delete(p.coming, i, i+1)
	if s.server == nil || p.gen != s.gen || p.never || p.work.stopped() {
		return false, false
	}
	s.expire(time.Now().Add(spareLife))
	p.list = append(p.list, s)
	return false, true
}

// drop takes s from the list; false when somebody else has.
func (p *spares) drop(s *spare) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.list, s)
	if i >= 0 {
		p.list = slices.Delete(p.list, i, i+1)
	}
	return i >= 0
}

// session returns the session upstream of a client: one dialled ahead, or about to be,
// else a new one.
func (p *spares) session(ctx context.Context, gen int, w want) (*login.ServerConn, error) {
	for s := p.choose(gen, w); s != nil; s = p.choose(gen, w) {
		if conn := s.take(); conn != nil {
			return conn, nil
		}
	}
	if s := p.expect(gen, w); s != nil {
		if conn := p.awaitSpare(ctx, s); conn != nil {
			return conn, nil
		}
	}
	return reach(ctx, p.access(), w)
}

// choose takes a spare for the like of w from the list, nil when there is none.
func (p *spares) choose(gen int, w want) *spare {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.list, func(s *spare) bool { return s.gen == gen && s.want.equal(w) })
	if i < 0 {
		return nil
	}
	s := p.list[i]
	p.list = slices.Delete(p.list, i, i+1)
	return s
}

// expect takes a spare for the like of w from those that are being dialled, nil when
// there is none: a new session would be there later.
func (p *spares) expect(gen int, w want) *spare {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.coming, func(s *spare) bool { return p.gen == gen && s.gen == gen && s.want.equal(w) })
	if i < 0 {
		return nil
	}
	s := p.coming[i]
	p.coming = slices.Delete(p.coming, i, i+1)
	return s
}

// awaitSpare waits for a spare that expect has returned. It returns nil when it will
// never be there, or ctx is done.
func (p *spares) awaitSpare(ctx context.Context, s *spare) *login.ServerConn {
	select {
	case <-s.ready:
		return s.server
	case <-ctx.Done():
	}
	p.work.finish(ctx, func(context.Context) {
		if <-s.ready; s.server != nil {
			s.server.Close()
		}
	})
	return nil
}

// limit gives the spares of a generation that is starting their last time.
func (p *spares) limit(gen int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.list {
		if s.gen == gen {
			s.expire(time.Now().Add(spareUse))
		}
	}
}

// close closes the spares of generations up to gen, and waits for that as long as ctx
// allows: a server that cannot be reached does not answer. It is the end of a start
// that failed, of a schema that has changed, of the Guard.
func (p *spares) close(ctx context.Context, gen int) {
	list := p.unwanted(gen)
	for _, s := range list {
		s.expire(time.Unix(1, 0))
	}
	for _, s := range list {
		select {
		case <-s.kept:
		case <-ctx.Done():
			return
		}
	}
}

// unwanted returns the spares of generations up to gen, and lets none come after them.
func (p *spares) unwanted(gen int) []*spare {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gen <= gen {
		p.gen = 0
	}
	return slices.DeleteFunc(slices.Clone(p.list), func(s *spare) bool { return s.gen > gen })
}

// count returns how many spares are there.
func (p *spares) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.list)
}
