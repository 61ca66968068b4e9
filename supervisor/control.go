package supervisor

import (
	"context"
	"errors"
	"net/netip"
	"sync/atomic"

	"github.com/devguard/devguard/supervisor/listeners"
	"github.com/devguard/devguard/supervisor/reload"
)

// Control is what may be asked and wished of a running Supervisor. The functions may be called at
// any time, from anywhere.
type Control struct {
	// Latest returns the newest state, and what is closed when there is a newer one.
	Latest func() (reload.Snapshot, <-chan struct{})
	// CatchUp returns a version of the tree that has in it every write that was completed
	// before the call. States with it, or a newer one, follow.
	CatchUp func(context.Context) (version uint64, err error)
	// Restart and Stop have the effect of keys r and q. They return when it is in the
	// newest state.
	Restart, Stop func(context.Context) error
	// Front is the address at which clients reach the app by way of devguard; "" when there is none.
	Front string
	// Listening returns the listening TCP sockets of the app.
	Listening func() []netip.AddrPort
	// Sockets returns how the app's listening sockets stand between two restarts.
	Sockets func() listeners.Status
	// Database returns how the databases of the newest generation stand, and
	// ResetConnections ends its sessions, and returns what was done; nil: there are none.
	Database         func() any
	ResetConnections func(context.Context) any
}

// ErrEnded says that the Supervisor has ended.
var ErrEnded = errors.New("devguard has ended")

func (s *Supervisor) control() Control {
	return Control{
		Latest: s.board.latest,
		CatchUp: func(ctx context.Context) (uint64, error) {
			snap, err := s.watch.CatchUp(ctx)
			return snap.Version, err
		},
		Restart:          func(ctx context.Context) error { return s.wish(ctx, reload.Restart{}) },
		Stop:             func(ctx context.Context) error { return s.wish(ctx, reload.Interrupt{}) },
		Front:            s.address.public(),
		Listening:        s.appListening,
		Sockets:          s.sockets,
		Database:         func() any { return s.newestDatabase().status() },
		ResetConnections: func(ctx context.Context) any { return s.newestDatabase().reset(ctx) },
	}
}

// reset ends the app's database sessions beside the loop; the database side says what it did.
func (s *Supervisor) reset() {
	db := s.newestDatabase()
	s.aside.Go(func() { db.reset(context.Background()) })
}

// showPage shows the status page beside the loop.
func (s *Supervisor) showPage() {
	if s.answering.ShowPage != nil {
		s.aside.Go(s.answering.ShowPage)
	}
}

// wish is an event that somebody asks for; granted is closed when it is in the newest state.
type wish struct {
	event   reload.Event
	granted chan struct{}
}

func (s *Supervisor) wish(ctx context.Context, ev reload.Event) error {
	w := wish{ev, make(chan struct{})}
	select {
	case s.wishes <- w:
		<-w.granted // by the very step that takes it
		return nil
	case <-s.ended:
		return ErrEnded
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Supervisor) appListening() []netip.AddrPort {
	g := s.newest.Load()
	if g == nil || !g.runs() {
		return nil
	}
	return s.address.seen(s.listening(g.own(g.tree.Pids())))
}

func (s *Supervisor) sockets() listeners.Status {
	if g := s.newest.Load(); g != nil && !g.cfg.App.HoldSockets {
		return listeners.Status{Off: "it is switched off"}
	}
	return s.holder.Status()
}

// newestDatabase is that of the newest generation; nil before the first.
func (s *Supervisor) newestDatabase() *Database {
	g := s.newest.Load()
	if g == nil {
		return nil
	}
	return g.db
}

// board shows the newest state to whoever looks. The loop alone publishes.
type board struct{ posted atomic.Pointer[posted] }

type posted struct {
	snap  reload.Snapshot
	newer chan struct{} // closed when there is one
}

func (b *board) publish(snap reload.Snapshot) {
	if old := b.posted.Swap(&posted{snap, make(chan struct{})}); old != nil {
		close(old.newer)
	}
}

// latest must not be called before the first publish.
func (b *board) latest() (reload.Snapshot, <-chan struct{}) {
	p := b.posted.Load()
	return p.snap, p.newer
}
