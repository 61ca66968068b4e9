package login

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// pendingLogins holds the connections that have not logged in yet. Each has one of
// a limited number of login slots; more connections stay unaccepted in the kernel's
// backlog, where they cost us nothing and nobody is refused. While all slots are
// taken, the pending login that has been silent longest is closed once that is
// longer than patience; else anyone could keep the app out by opening connections
// and saying nothing.
type pendingLogins struct {
	patience time.Duration
	slots    chan struct{} // a token for each slot that is taken
	opened   time.Time     // what pendingLogin.heard counts from, by the monotonic clock

	mu     sync.Mutex
	logins map[*pendingLogin]struct{} // those that may be closed
	closed bool
}

// pendingLogin is a connection before its login. It owns a slot.
type pendingLogin struct {
	net.Conn
	of    *pendingLogins
	heard atomic.Int64 // when it last said something, in ns since pendingLogins.opened
	waits atomic.Bool  // the next message is somebody else's: its silence is no fault
}

func newPendingLogins(limit int, patience time.Duration) *pendingLogins {
	return &pendingLogins{patience: patience, slots: make(chan struct{}, limit),
		opened: time.Now(), logins: map[*pendingLogin]struct{}{}}
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
		timer := time.NewTimer(p.closeSilent())
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

// closeSilent closes the login that has been silent longest, when that is longer
// than patience; it leaves soon after. It returns after what time to look again.
func (p *pendingLogins) closeSilent() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	var oldest *pendingLogin
	for l := range p.logins {
		if l.waits.Load() {
			continue
		}
		if oldest == nil || l.heard.Load() < oldest.heard.Load() {
			oldest = l
		}
	}
	if oldest == nil {
		return p.patience
	}
	left := p.patience - (time.Since(p.opened) - time.Duration(oldest.heard.Load()))
	if left > 0 {
		return min(left, p.patience)
	}
	delete(p.logins, oldest)
	_ = oldest.Close()
	return p.patience // one is closed for each that may come
}

// enter gives conn a slot that takeSlot has got.
func (p *pendingLogins) enter(conn net.Conn) *pendingLogin {
	l := &pendingLogin{Conn: conn, of: p}
	l.hear()
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

// Read is Conn.Read that remembers when something came.
func (l *pendingLogin) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	if n > 0 {
		l.hear()
	}
	return n, err
}

// hear says that the client has just said something.
func (l *pendingLogin) hear() { l.heard.Store(int64(time.Since(l.of.opened))) }

// wait says whether the client waits for somebody else, and so is right to be
// silent.
func (l *pendingLogin) wait(on bool) {
	l.hear()
	l.waits.Store(on)
}
