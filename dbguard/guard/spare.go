package guard

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
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

// opening is how a generation began: what its first clients asked for.
type opening struct {
	since time.Time
	wants []want
}

// spares are the sessions dialled ahead. Guard.mu guards them.
type spares struct {
	gen    int      // for whom they are dialled now
	coming []*spare // being dialled, and nobody waits for them
	list   []*spare // there; also those that the generation before has not used
	never  bool     // the server or a pooler had no session to spare
}

// spare is one of them. While it waits its keeper reads: what the server says
// before anyone has asked is kept for the client, and its end is noticed.
type spare struct {
	gen     int
	want    want
	ready   chan struct{} // closed when it is there, or never will be
	*opened               // after that: nil for never
	kept    chan struct{} // closed when the keeper has let go
	heard   []byte        // after that: what it has read
	err     error         // after that: why it ended
}

// noteOpening remembers what a client of generation gen asked for.
func (g *Guard) noteOpening(l *live, w want) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := &l.u.proxy
	if p.opening == nil {
		p.opening = map[int]opening{}
	}
	o, known := p.opening[l.gen]
	if !known {
		o.since = l.since
	}
	if len(o.wants) < maxSpares && l.since.Sub(o.since) < openingTime {
		o.wants = append(o.wants, w)
	}
	p.opening[l.gen] = o
}

// dialAhead begins to open sessions for generation gen, as many as the one that
// still runs had at its beginning. It does nothing the second time.
func (g *Guard) dialAhead(u *upstream, gen int) {
	v, _ := g.verdictOf(u)
	g.mu.Lock()
	p := &u.proxy
	before, runs := p.latest(gen)
	if !runs || v.kind != postgres || p.spares.never || p.spares.gen >= gen {
		g.mu.Unlock()
		return
	}
	p.spares.gen = gen
	var coming []*spare
	for _, w := range before.wants {
		w = w.of(g.options.RunID, gen, v)
		coming = append(coming, &spare{gen: gen, want: w, ready: make(chan struct{}), kept: make(chan struct{})})
	}
	p.spares.coming = append(p.spares.coming, coming...)
	g.mu.Unlock()
	for _, s := range coming {
		if !g.background(func() { g.keep(u, s) }) {
			close(s.ready)
		}
	}
}

// latest returns how the newest of the generations before gen began that is not
// drained yet.
func (p *proxied) latest(gen int) (o opening, runs bool) {
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
func (g *Guard) keep(u *upstream, s *spare) {
	o, err := g.reach(g.ctx, u, s.want)
	if err != nil {
		g.noSpares(u, err)
	}
	s.opened = o
	if !g.arrive(u, s) {
		return
	}
	defer close(s.kept)
	one := make([]byte, 1)
	n, err := s.Conn.Read(one)
	s.heard, s.err = one[:n], err
	if g.dropSpare(u, s) {
		s.close() // nobody took it
	}
}

// arrive puts s among those that are there, and reports whether it is to be kept
// there: not one that a client waits for, and none that nobody wants any more.
func (g *Guard) arrive(u *upstream, s *spare) (keep bool) {
	defer close(s.ready)
	g.mu.Lock()
	p := &u.proxy.spares
	i := slices.Index(p.coming, s)
	if i >= 0 {
		p.coming = slices.Delete(p.coming, i, i+1)
	}
	if i < 0 || s.opened == nil {
		g.mu.Unlock()
		return false
	}
	if keep = p.gen == s.gen && !g.closed && !p.never; keep {
		_ = s.Conn.SetReadDeadline(time.Now().Add(spareLife))
		p.list = append(p.list, s)
	}
	g.mu.Unlock()
	if !keep {
		s.close()
	}
	return keep
}

// noSpares ends the dialling ahead for this run when it takes sessions from
// others.
func (g *Guard) noSpares(u *upstream, err error) {
	var server *pgconn.PgError
	if !errors.As(err, &server) || g.ctx.Err() != nil {
		return
	}
	g.mu.Lock()
	u.proxy.spares.never = true
	g.mu.Unlock()
	g.log.DebugContext(g.ctx, "no sessions are dialled ahead any more", "database", u.subject, "sqlstate", server.Code)
}

// dropSpare takes s from the list; false when somebody else has.
func (g *Guard) dropSpare(u *upstream, s *spare) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(u.proxy.spares.list, s)
	if i >= 0 {
		u.proxy.spares.list = slices.Delete(u.proxy.spares.list, i, i+1)
	}
	return i >= 0
}

// takeSpare returns a live session that was dialled ahead for the like of w, nil
// when there is none.
func (g *Guard) takeSpare(u *upstream, gen int, w want) *opened {
	for {
		s := g.chooseSpare(u, gen, w)
		if s == nil {
			return nil
		}
		_ = s.Conn.SetReadDeadline(time.Unix(1, 0)) // the keeper lets go
		<-s.kept
		if s.err != nil && !errors.Is(s.err, os.ErrDeadlineExceeded) {
			s.close() // its server has ended it meanwhile
			continue
		}
		_ = s.Conn.SetReadDeadline(time.Time{})
		if len(s.heard) > 0 {
			s.Conn = &unread{s.Conn, s.heard}
		}
		return s.opened
	}
}

func (g *Guard) chooseSpare(u *upstream, gen int, w want) *spare {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := &u.proxy.spares
	i := slices.IndexFunc(p.list, func(s *spare) bool { return s.gen == gen && s.want.equal(w) })
	if i < 0 {
		return nil
	}
	s := p.list[i]
	p.list = slices.Delete(p.list, i, i+1)
	return s
}

// limitSpares gives the spares of a generation that is starting their last time.
func (g *Guard) limitSpares(u *upstream, gen int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range u.proxy.spares.list {
		if s.gen == gen {
			_ = s.Conn.SetReadDeadline(time.Now().Add(spareUse))
		}
	}
}

// closeSpares closes the spares of generations up to gen, and waits for that as
// long as ctx allows: a server that cannot be reached does not answer. It is the
// end of a start that failed, of a schema that has changed, of the Guard.
func (g *Guard) closeSpares(ctx context.Context, u *upstream, gen int) {
	g.mu.Lock()
	list := slices.DeleteFunc(slices.Clone(u.proxy.spares.list), func(s *spare) bool { return s.gen > gen })
	if u.proxy.spares.gen <= gen {
		u.proxy.spares.gen = 0 // those still being dialled are not wanted either
	}
	g.mu.Unlock()
	for _, s := range list {
		_ = s.Conn.SetReadDeadline(time.Unix(1, 0))
	}
	for _, s := range list {
		select {
		case <-s.kept:
		case <-ctx.Done():
			return
		}
	}
}

// unread is a connection of which somebody has read a little too much.
type unread struct {
	net.Conn
	before []byte
}

// Read is Conn.Read, what was read before first.
func (u *unread) Read(p []byte) (int, error) {
	if len(u.before) == 0 {
		return u.Conn.Read(p)
	}
	n := copy(p, u.before)
	u.before = u.before[n:]
	return n, nil
}

// takeOrReach returns the session of a client: one dialled ahead, or about to be,
// else a new one.
func (g *Guard) takeOrReach(ctx context.Context, l *live, w want) (*opened, error) {
	if o := g.takeSpare(l.u, l.gen, w); o != nil {
		return o, nil
	}
	if o := g.awaitSpare(ctx, l.u, l.gen, w); o != nil {
		return o, nil
	}
	return g.reach(ctx, l.u, w)
}

// awaitSpare waits for a session for the like of w that is being dialled ahead:
// another one would be there later. It returns nil when there is none.
func (g *Guard) awaitSpare(ctx context.Context, u *upstream, gen int, w want) *opened {
	g.mu.Lock()
	p := &u.proxy.spares
	i := slices.IndexFunc(p.coming, func(s *spare) bool { return p.gen == gen && s.gen == gen && s.want.equal(w) })
	if i < 0 {
		g.mu.Unlock()
		return nil
	}
	s := p.coming[i]
	p.coming = slices.Delete(p.coming, i, i+1)
	g.mu.Unlock()
	select {
	case <-s.ready:
		return s.opened
	case <-ctx.Done():
	}
	g.closeLater(ctx, func(context.Context) {
		if <-s.ready; s.opened != nil {
			s.close()
		}
	})
	return nil
}
