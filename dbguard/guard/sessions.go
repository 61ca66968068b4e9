package guard

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/devguard/devguard/dbguard/login"
	"github.com/devguard/devguard/dbguard/relay"
)

// everyGeneration is beyond any that there will be.
const everyGeneration = math.MaxInt

// sessions are those of the clients of one upstream, and who may have one.
type sessions struct {
	work    *background
	sockets *appSockets

	mu     sync.Mutex
	issued map[int]issued          // the password of each generation that may log in
	open   map[*clientSession]bool // of everybody who has logged in and is not gone
	ended  map[int]tally           // what is over, by generation
	paused chan struct{}           // closed when logins may go on; nil when they may
}

// issued is the password of one generation, and how it is checked.
type issued struct {
	password string
	secret   login.Secret
}

// tally counts sessions that were ended for the app: those that it left behind,
// and those that it closed itself once it was told to stop.
type tally struct {
	sessions, cancelled, rolledBack, statements int
}

func (t tally) plus(o tally) tally {
	return tally{t.sessions + o.sessions, t.cancelled + o.cancelled, t.rolledBack + o.rolledBack, t.statements + o.statements}
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

func newSessions(work *background, sockets *appSockets) *sessions {
	return &sessions{work: work, sockets: sockets, issued: map[int]issued{}, open: map[*clientSession]bool{}, ended: map[int]tally{}}
}

// issue returns the password of a generation at a listener, a new one the first time.
func (s *sessions) issue(gen int, at *login.Listener) string {
	random := make([]byte, 16)
	rand.Read(random) // never fails: crypto/rand
	s.mu.Lock()
	defer s.mu.Unlock()
	if i, ok := s.issued[gen]; ok {
		return i.password
	}
	text := hex.EncodeToString(random)
	s.issued[gen] = issued{text, at.Secret(gen, text)}
	return text
}

// secrets returns the passwords that are good now.
func (s *sessions) secrets() []login.Secret {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []login.Secret
	for _, i := range s.issued {
		list = append(list, i.secret)
	}
	return list
}

// admits reports whether generation gen has a password now.
func (s *sessions) admits(gen int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, good := s.issued[gen]
	return good
}

// given reports whether some generation has a password now.
func (s *sessions) given() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.issued) > 0
}

// enter registers a client that has logged in; nil when its generation ended
// meanwhile. The context ends with the session.
func (s *sessions) enter(ctx context.Context, gen int) (context.Context, *clientSession) {
	ctx, cancel := context.WithCancel(ctx)
	c := &clientSession{gen: gen, since: time.Now(), cancel: cancel, done: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, good := s.issued[gen]; !good && gen > 0 || s.work.stopped() {
		cancel()
		return ctx, nil
	}
	s.open[c] = true
	return ctx, c
}

// begin says that c has its session upstream; false when it was told to end before.
// One that was being opened when the sessions were paused is held from its start.
func (s *sessions) begin(c *clientSession, server *login.ServerConn, r *relay.Relay) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.paused != nil && c.gen > 0 {
		r.Hold() // before resume, which releases all, can have it
	}
	return c.begin(server, r)
}

// leave forgets c, and remembers how it ended: left says that the client itself
// sent Terminate. There is no report when it had no session upstream.
func (s *sessions) leave(c *clientSession, report *relay.Report, left bool) {
	counts := report != nil && c.gen > 0 && (!left || c.isEnding() || s.sockets.known(c.gen))
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
	if counts {
		s.ended[c.gen] = s.ended[c.gen].plus(tallyOf(report))
	}
	c.cancel()
	close(c.done)
}

// errStopping is what a client hears that is still there when the Guard is closed.
// The app has ended by then; at a fixed address there are others.
var errStopping = login.Fatal("57P01", "terminating connection due to administrator command", "devguard is stopping.")

// dismiss tells every session to end, the app's or not; closing the listeners waits.
func (s *sessions) dismiss() {
	for _, c := range s.all() {
		c.end(errStopping)
	}
}

// all returns the sessions, the app's or not, in no order.
func (s *sessions) all() []*clientSession {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.open))
}

// until returns the app's sessions of generations up to gen, the oldest first.
func (s *sessions) until(gen int) []*clientSession {
	list := slices.DeleteFunc(s.all(), func(c *clientSession) bool { return c.gen == 0 || c.gen > gen })
	slices.SortFunc(list, func(a, b *clientSession) int { return cmp.Or(cmp.Compare(a.gen, b.gen), a.since.Compare(b.since)) })
	return list
}

// revoke refuses generations up to gen from now on.
func (s *sessions) revoke(gen int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.issued, func(n int, _ issued) bool { return n <= gen })
}

// takeTally returns what has ended of generations up to gen, and forgets it.
func (s *sessions) takeTally(gen int) (t tally) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n, one := range s.ended {
		if n <= gen {
			t = t.plus(one)
			delete(s.ended, n)
		}
	}
	return t
}

// end ends the sessions of generations up to gen, which may have none any more:
// politely until that context ends, then by closing the connections, which may leave
// a session on the server. It returns those; ctx bounds all of it.
func (s *sessions) end(ctx, polite context.Context, gen int) (stuck []*clientSession) {
	s.revoke(gen)
	all := s.until(gen)
	for _, c := range all {
		c.end(nil)
	}
	for _, c := range all {
		if !c.overBy(polite) {
			c.cancel()
			stuck = append(stuck, c)
		}
	}
	for _, c := range stuck {
		c.overBy(ctx) // its count is in the tally then, and its socket dead
	}
	return stuck
}

// pause keeps new clients of the app waiting, and returns its sessions that there are.
func (s *sessions) pause() []*clientSession {
	s.mu.Lock()
	if s.paused == nil {
		s.paused = make(chan struct{})
	}
	s.mu.Unlock()
	return s.until(everyGeneration)
}

// resume lets new clients and held sessions go on.
func (s *sessions) resume() {
	s.mu.Lock()
	if s.paused != nil {
		close(s.paused)
		s.paused = nil
	}
	s.mu.Unlock()
	for _, c := range s.until(everyGeneration) {
		if _, r := c.running(); r != nil {
			r.Release()
		}
	}
}

// awaitResume waits while the sessions are paused; false when ctx ends first.
func (s *sessions) awaitResume(ctx context.Context) bool {
	for paused := s.pausedUntil(); paused != nil; paused = s.pausedUntil() {
		select {
		case <-paused:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// pausedUntil returns what is closed at the end of the pause, nil when there is none.
func (s *sessions) pausedUntil() chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.paused
}
