package guard

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/devguard/devguard/dbguard/login"
	"github.com/devguard/devguard/dbguard/relay"
	"github.com/devguard/devguard/dbguard/sockets"
)

// proxied is what there is of an upstream while its sessions pass through us.
// Guard.mu guards it.
type proxied struct {
	listener *login.Listener // that the app's URL leads to; nil while there is none
	fixed    *login.Listener // of the configured address; nil while there is none
	fixing   bool            // somebody is trying to open it
	issued   map[int]issued  // the password of each generation that may log in
	lives    map[*live]bool  // everybody who has logged in and is not gone
	ended    map[int]tally   // what is over, by generation
	opening  map[int]opening // how generations began, for the next one's spares
	spares   spares
	paused   chan struct{} // closed when logins may go on; nil when they may
	fallen   string        // why the app goes past us for good
}

// issued is the password of one generation, and how it is checked.
type issued struct {
	password string
	secret   login.Secret
}

// everyGeneration is beyond any that there will be.
const everyGeneration = math.MaxInt

// live is one client and its session upstream.
type live struct {
	u      *upstream
	gen    int // 0: a client of a fixed address that is not the app's
	since  time.Time
	cancel context.CancelFunc // ends the dial, or the relay without grace
	done   chan struct{}      // closed when both ends are gone

	// Guard.mu guards what follows.
	want   want
	up     *opened      // nil while it logs in
	relay  *relay.Relay // likewise
	ending bool         // it was told to end
}

// tally counts sessions that were ended for the app: those that it left behind,
// and those that it closed itself once it was told to stop.
type tally struct {
	sessions, cancelled, rolledBack, statements int
}

func (t tally) plus(o tally) tally {
	return tally{t.sessions + o.sessions, t.cancelled + o.cancelled, t.rolledBack + o.rolledBack, t.statements + o.statements}
}

// issue returns the password of generation gen on u, a new one the first time.
func (g *Guard) issue(u *upstream, gen int) string {
	random := make([]byte, 16)
	rand.Read(random) // never fails: crypto/rand
	g.mu.Lock()
	defer g.mu.Unlock()
	if i, ok := u.proxy.issued[gen]; ok {
		return i.password
	}
	text := hex.EncodeToString(random)
	if u.proxy.issued == nil {
		u.proxy.issued = map[int]issued{}
	}
	u.proxy.issued[gen] = issued{text, u.proxy.listener.Secret(gen, text)}
	return text
}

// secrets returns the passwords that are good now.
func (g *Guard) secrets(u *upstream) []login.Secret {
	g.mu.Lock()
	defer g.mu.Unlock()
	var list []login.Secret
	for _, i := range u.proxy.issued {
		list = append(list, i.secret)
	}
	return list
}

// enter registers a client that has logged in; nil when its generation ended
// meanwhile. The context ends with the session.
func (g *Guard) enter(ctx context.Context, u *upstream, gen int) (context.Context, *live) {
	ctx, cancel := context.WithCancel(ctx)
	l := &live{u: u, gen: gen, since: time.Now(), cancel: cancel, done: make(chan struct{})}
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, good := u.proxy.issued[gen]; !good && gen > 0 || g.closed {
		cancel()
		return ctx, nil
	}
	if u.proxy.lives == nil {
		u.proxy.lives = map[*live]bool{}
	}
	u.proxy.lives[l] = true
	return ctx, l
}

// begin says that l has its session; false when it was told to end before. One
// that was being opened when its upstream was paused is held from its start.
func (g *Guard) begin(l *live, w want, up *opened, r *relay.Relay) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	l.want, l.up, l.relay = w, up, r
	if l.u.proxy.paused != nil && l.gen > 0 {
		r.Hold()
	}
	return !l.ending
}

// leave forgets l, and remembers how it ended: left says that the client itself
// said goodbye.
func (g *Guard) leave(l *live, report *relay.Report, left bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(l.u.proxy.lives, l)
	if _, stopping := g.noted[l.gen]; report != nil && l.gen > 0 && (l.ending || stopping || !left) {
		if l.u.proxy.ended == nil {
			l.u.proxy.ended = map[int]tally{}
		}
		l.u.proxy.ended[l.gen] = l.u.proxy.ended[l.gen].plus(tallyOf(report))
	}
	l.cancel()
	close(l.done)
}

func tallyOf(r *relay.Report) tally {
	count := func(yes bool) int {
		if yes {
			return 1
		}
		return 0
	}
	return tally{1, count(r.Cancelled), count(r.RolledBack), r.Statements}
}

// end tells l to end. The client of one that is being replaced is gone already;
// fatal is for one that is not.
func (g *Guard) end(l *live, fatal *pgproto3.ErrorResponse) {
	g.mu.Lock()
	r := l.relay
	l.ending = true
	g.mu.Unlock()
	if r == nil {
		l.cancel()
		return
	}
	r.End(fatal)
}

// errStopping is what a client hears that is still there when the Guard is closed.
// The app has ended by then; at a fixed address there are others.
var errStopping = login.Fatal("57P01", "terminating connection due to administrator command", "devguard is stopping.")

// dismiss tells every session of u to end, the app's or not; closeListeners waits.
func (g *Guard) dismiss(u *upstream) {
	g.mu.Lock()
	all := slices.Collect(maps.Keys(u.proxy.lives))
	g.mu.Unlock()
	for _, l := range all {
		g.end(l, errStopping)
	}
}

// livesOf returns the sessions of u that are the app's of generations up to gen.
func (g *Guard) livesOf(u *upstream, gen int) []*live {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := slices.Collect(maps.Keys(u.proxy.lives))
	list = slices.DeleteFunc(list, func(l *live) bool { return l.gen == 0 || l.gen > gen })
	slices.SortFunc(list, func(a, b *live) int { return cmp.Or(cmp.Compare(a.gen, b.gen), a.since.Compare(b.since)) })
	return list
}

// revoke refuses generations up to gen from now on.
func (g *Guard) revoke(u *upstream, gen int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	maps.DeleteFunc(u.proxy.issued, func(n int, _ issued) bool { return n <= gen })
	maps.DeleteFunc(u.proxy.opening, func(n int, _ opening) bool { return n <= gen })
}

// takeTally returns what has ended of generations up to gen, and forgets it.
func (g *Guard) takeTally(u *upstream, gen int) (t tally) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for n, one := range u.proxy.ended {
		if n <= gen {
			t = t.plus(one)
			delete(u.proxy.ended, n)
		}
	}
	return t
}

// endProxied ends what passes through us of generations up to gen: politely until
// that context ends, then by closing the connections, which may leave a session on
// the server. It returns those; ctx bounds all of it.
func (g *Guard) endProxied(ctx, polite context.Context, u *upstream, gen int) (stuck []*live) {
	g.revoke(u, gen)
	all := g.livesOf(u, gen)
	for _, l := range all {
		g.end(l, nil)
	}
	for _, l := range all {
		if !l.overBy(polite) {
			l.cancel()
			stuck = append(stuck, l)
		}
	}
	for _, l := range stuck {
		l.overBy(ctx) // its count is in the tally then, and its socket dead
	}
	return stuck
}

// overBy waits for the end of l, and returns false when ctx ends first.
func (l *live) overBy(ctx context.Context) bool {
	select {
	case <-l.done:
		return true
	case <-ctx.Done():
	}
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// socketsOf returns our sockets of sessions upstream, by the server's pid.
func (g *Guard) socketsOf(list []*live) map[uint32]sockets.Conn {
	g.mu.Lock()
	defer g.mu.Unlock()
	found := map[uint32]sockets.Conn{}
	for _, l := range list {
		if l.up != nil {
			found[l.up.pid] = sockets.Conn{Local: addrPort(l.up.local), Remote: addrPort(l.up.Conn.RemoteAddr())}
		}
	}
	return found
}
