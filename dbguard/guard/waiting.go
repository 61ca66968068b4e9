package guard

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// waitingRoom holds the connections that have not logged in yet: at most limit
// of them, so that more stay unaccepted in the kernel's backlog, where they cost
// us nothing and are refused nothing. While it is full, the guest that has been
// silent longest is shown out once that is longer than patience; else anyone
// could keep the app out by opening connections and saying nothing.
type waitingRoom struct {
	patience time.Duration
	seats    chan struct{} // a token for each seat that is taken
	opened   time.Time     // what guest.heard counts from, by the monotonic clock

	mu     sync.Mutex
	guests map[*guest]struct{} // those that may be shown out
	closed bool
}

// guest is a connection before its login, which is the owner of a seat.
type guest struct {
	net.Conn
	room  *waitingRoom
	heard atomic.Int64 // when it last said something, in ns since room.opened
	waits atomic.Bool  // it is not its turn
}

func newWaitingRoom(limit int, patience time.Duration) *waitingRoom {
	return &waitingRoom{patience: patience, seats: make(chan struct{}, limit),
		opened: time.Now(), guests: map[*guest]struct{}{}}
}

// takeSeat returns true when there is a seat for one more guest, false when ctx
// is done. It is for one goroutine.
func (r *waitingRoom) takeSeat(ctx context.Context) bool {
	for {
		select {
		case r.seats <- struct{}{}:
			return true
		default:
		}
		timer := time.NewTimer(r.showOut())
		select {
		case r.seats <- struct{}{}:
			timer.Stop()
			return true
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return false
		}
	}
}

// freeSeat gives back a seat that no guest has taken.
func (r *waitingRoom) freeSeat() { <-r.seats }

// showOut closes the guest that has been silent longest when that is longer than
// patience; it leaves soon after. It returns after what time to look again.
func (r *waitingRoom) showOut() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	var oldest *guest
	for g := range r.guests {
		if g.waits.Load() {
			continue
		}
		if oldest == nil || g.heard.Load() < oldest.heard.Load() {
			oldest = g
		}
	}
	if oldest == nil {
		return r.patience
	}
	left := r.patience - (time.Since(r.opened) - time.Duration(oldest.heard.Load()))
	if left > 0 {
		return min(left, r.patience)
	}
	delete(r.guests, oldest)
	_ = oldest.Close()
	return r.patience // one goes for one that may come
}

// enter makes conn the guest of a seat that takeSeat has got.
func (r *waitingRoom) enter(conn net.Conn) *guest {
	g := &guest{Conn: conn, room: r}
	g.hear()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		_ = conn.Close()
	}
	r.guests[g] = struct{}{}
	return g
}

// leave gives back the seat of a guest. It returns false when the guest was shown
// out before: then its connection is closed. After true nothing here closes it.
func (r *waitingRoom) leave(g *guest) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, there := r.guests[g]
	delete(r.guests, g)
	<-r.seats
	return there && !r.closed
}

// close closes every guest of now and later.
func (r *waitingRoom) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for g := range r.guests {
		_ = g.Close()
	}
}

// Read is Conn.Read that remembers when something came.
func (g *guest) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	if n > 0 {
		g.hear()
	}
	return n, err
}

// hear says that the guest has just said something.
func (g *guest) hear() { g.heard.Store(int64(time.Since(g.room.opened))) }

// wait says whether the guest waits for somebody else, and so is right to be
// silent.
func (g *guest) wait(on bool) {
	g.hear()
	g.waits.Store(on)
}
