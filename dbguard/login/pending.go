package login

import (
	"context"
	"net"
	"sync"
	"time"
)

// pendingLogins holds the connections that have not logged in yet. Each has one of
// a limited number of login slots; more connections stay unaccepted in the kernel's
// backlog, where they cost us nothing and nobody is refused. While all slots are
// taken, the login whose own part has taken longest is closed once that is longer
// than patience, however much it says meanwhile; else anyone could keep the app out
// by opening connections and saying nothing, or a byte now and then.
type pendingLogins struct {
	patience time.Duration
	slots    chan struct{} // a token for each slot that is taken

	mu     sync.Mutex
	logins map[*pendingLogin]struct{} // those that may be closed
	closed bool
}

// pendingLogin is a connection before its login. It owns a slot.
type pendingLogin struct {
	net.Conn
	turn turn
}

// turn is whose turn it is in a login, and how long the client has had so far. What it
// waits for somebody else is no fault of its own. The zero value has had no turn.
type turn struct {
	mu    sync.Mutex
	had   time.Duration // its turns before
	since time.Time     // its turn now; zero while it waits for somebody else
}

// begin says that it is the client's turn from now on.
func (t *turn) begin(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.since.IsZero() {
		t.since = now
	}
}

// end says that it is not the client's turn any more.
func (t *turn) end(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.since.IsZero() {
		t.had, t.since = t.had+now.Sub(t.since), time.Time{}
	}
}

// taken returns how long the client has had, and whether it is its turn.
func (t *turn) taken(now time.Time) (time.Duration, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.since.IsZero() {
		return t.had, false
	}
	return t.had + now.Sub(t.since), true
}

func newPendingLogins(limit int, patience time.Duration) *pendingLogins {
	return &pendingLogins{patience: patience, slots: make(chan struct{}, limit), logins: map[*pendingLogin]struct{}{}}
}

// takeSlot returns true when there is a slot for one more connection, false when
// ctx is done. It is for one goroutine.
func (p *pendingLogins) takeSlot(ctx context.Context) bool {
	for {
		select {
		case p.slots <- struct{}{}:
			return true
		default:
		}
		timer := time.NewTimer(p.closeSlowest())
		select {
		case p.slots <- struct{}{}:
			timer.Stop()
			return true
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return false
		}
	}
}

// freeSlot gives back a slot that no connection has got.
func (p *pendingLogins) freeSlot() { <-p.slots }

// closeSlowest closes the login whose own part has taken longest, when that is longer
// than patience; it leaves soon after. It returns after what time to look again.
func (p *pendingLogins) closeSlowest() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	var slowest *pendingLogin
	var longest time.Duration
	now := time.Now()
	for l := range p.logins {
		if took, itsTurn := l.turn.taken(now); itsTurn && (slowest == nil || took > longest) {
			slowest, longest = l, took
		}
	}
	if slowest == nil {
		return p.patience
	}
	if left := p.patience - longest; left > 0 {
		return left
	}
	delete(p.logins, slowest)
	_ = slowest.Close()
	return p.patience // one is closed for each that may come
}

// enter gives conn a slot that takeSlot has got.
func (p *pendingLogins) enter(conn net.Conn) *pendingLogin {
	l := &pendingLogin{Conn: conn}
	l.turn.begin(time.Now())
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = conn.Close()
	}
	p.logins[l] = struct{}{}
	return l
}

// leave gives back the slot of l. It returns false when l was closed before its
// login was over; after true nothing here closes its connection.
func (p *pendingLogins) leave(l *pendingLogin) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, there := p.logins[l]
	delete(p.logins, l)
	<-p.slots
	return there && !p.closed
}

// close closes every pending login, of now and later.
func (p *pendingLogins) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for l := range p.logins {
		_ = l.Close()
	}
}

// wait says whether the client waits for somebody else.
func (l *pendingLogin) wait(on bool) {
	if on {
		l.turn.end(time.Now())
	} else {
		l.turn.begin(time.Now())
	}
}
