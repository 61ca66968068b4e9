package hold

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"
)

const (
	// untaken is how long a generation that is ready may take at least to bind what is held
	// for it: apps open several ports one after the other. A guess. See patience.
	untaken = 5 * time.Second

	// awaited is how soon after devguard has let go of a place a bind of it says that the app has
	// waited for that: who waits for a port to be free looks every second or so. What comes later is
	// opened when it is needed (a callback of a login, a profile). A guess.
	awaited = 3 * time.Second

	// downLimit is how long sockets are held while the app is down, or crashes again and again, and
	// nothing is done about it: whoever has not changed a file by then may want the port for
	// something else, a debugger say. A guess.
	downLimit = 60 * time.Second

	// lookEvery is how often the queues of a generation that runs are looked at: one
	// getsockopt for each socket.
	lookEvery = 2 * time.Second

	// allEvery is at every how many looks the descriptors of the tree are looked at, to find sockets that
	// the app has closed and on which nobody waits: somebody else may want the port. It costs about a
	// millisecond.
	allEvery = 5

	// lengthenEvery is how often a socket is made to listen again while its
	// generation is stopping, which may have shut it down.
	lengthenEvery = 50 * time.Millisecond

	// maxBound bounds what is remembered of sockets that were bound and have not listened yet: most of
	// them are clients with a fixed port, or tries of a port that somebody else has.
	maxBound = 256

	// maxKept bounds what is held. At the bind of each, all descriptors of the tree are looked at:
	// an app with a thousand sockets would start 3 s later. Those beyond are left alone.
	maxKept = 128
)

// Table is what is known of the app's listening sockets. Its zero value is ready.
type Table struct {
	gen     int // the newest generation
	started time.Time
	phase   phase
	took    bool // it was given a socket that was held for the app
	sockets map[uint64]*socket
	noted   int      // binds
	empty   []uint64 // sockets that were found closed at the last look
	looks   int      // at what the newest generation has

	waited map[Place]time.Time     // when they were let go because it had not taken them in time
	binds  map[Place]time.Duration // how long after its start a generation was last seen to listen there

	debugger uint16 // see Debugger; 0 for none

	program string // of the newest generation; see Program
	failed  string // that of the generation which the suspicion is about

	trust     trust
	suspicion suspicion
	off       string // why nothing is held any more; "" while it is

	outage outage
	gone   map[Place]string // why a place was let go, until somebody listens there again
}

// phase is what the newest generation does: one of the types below.
type phase interface{ phase() }

type (
	// starting: its process exists.
	starting struct{}

	// ready: it was found ready at that time.
	ready struct {
		since time.Time
		look  time.Time // when to look at the queues again
	}

	// unready: it was not ready in time, and goes on.
	unready struct{ look time.Time }

	// stopping: its main process is gone, or was asked to go.
	stopping struct{ lengthen time.Time }

	// away: no process of it is left, and something is done that may bring another.
	away struct{}

	// down: no process of it is left, and nothing is done before a change or the end of a pause. reason
	// says so to whoever connects.
	down struct{ reason string }
)

// outage is the newest time that the app is down for: tries to start it without a change in between
// are part of it.
type outage struct {
	since   time.Time
	crashes int  // in a row
	told    bool // that all was let go of
}

func (o outage) String() string {
	what := "is down"
	if o.crashes > 0 {
		what = "has crashed again and again"
	}
	return fmt.Sprintf("the app %s for %v, and nothing was changed", what, downLimit)
}

func (starting) phase() {}
func (ready) phase()    {}
func (unready) phase()  {}
func (stopping) phase() {}
func (away) phase()     {}
func (down) phase()     {}

// trust is whether the app was seen to take what is held for it.
type trust int

const (
	untested trust = iota
	proven         // a generation took a held socket and became ready
)

// suspicion is what the end of a generation that had taken nothing says of the app.
type suspicion int

const (
	none     suspicion = iota
	once               // the one before had taken what was held: it may have been a mistake of the user's
	repeated           // it was the first, or the second in a row: an app that dials its own port does that
)

// Action is what the caller has to do, in order. One of the types below.
type Action interface{ action() }

type (
	// Keep the copy of the socket that calls listen.
	Keep struct{ Inode uint64 }

	// Lengthen has a kept socket listen with a long queue: nobody accepts now, or, with Defer, for
	// much longer. Then, as long as a process of the tree has it open, only those connections can be
	// accepted that have sent something. Where the server speaks first, such a connection waits for a
	// second.
	Lengthen struct {
		Inode uint64
		Defer bool
	}

	// Renew makes another socket at the place of a kept one, for those who connect from now on, and
	// answers by Renewed or NotRenewed. net/http and node close connections that they have accepted,
	// and whose request they have not read, when they are asked to stop: so they are to get none.
	Renew struct{ Inode uint64 }

	// TakeOver has those who still wait on the socket from before Renew wait on this one.
	TakeOver struct{ Inode uint64 }

	// Recover makes another copy of a socket that a process of the tree has open, or answers by Broken.
	Recover struct{ Inode uint64 }

	// Look whether clients wait on kept sockets that no process of the tree has open, and answer by
	// Closed. With All also those on which nobody waits.
	Look struct {
		Inodes []uint64
		All    bool
	}

	// LetGo closes the copy, before the call that it was decided at is answered.
	LetGo struct {
		Inode  uint64
		Place  Place
		Reason string
		Quiet  bool // nobody is told
	}

	// Answer whoever connects to a kept socket that the app does not run, unless a process
	// of the tree still has it open. A second Answer brings another reason.
	Answer struct {
		Inode  uint64
		Reason string
	}

	// Silence ends Answer: connections wait again.
	Silence struct{ Inode uint64 }

	// TurnOff has later generations started without the filter.
	TurnOff struct{ Reason, Hint string }
)

func (Keep) action()     {}
func (Lengthen) action() {}
func (Renew) action()    {}
func (TakeOver) action() {}
func (Recover) action()  {}
func (Look) action()     {}
func (LetGo) action()    {}
func (Answer) action()   {}
func (Silence) action()  {}
func (TurnOff) action()  {}

// Debugger says at which port a debugger listens that is started with the app. Its socket is held as
// well, and that it takes it says nothing of the app.
func (t *Table) Debugger(port uint16) { t.debugger = port }

// Program names what is started as the next generation; a change of anything that it is made of is
// another name. That another program than one which had ended is ready tells nothing of held sockets: it
// may be the same one mended.
func (t *Table) Program(name string) { t.program = name }

func (t *Table) ofApp(s *socket) bool { return s.place.Addr.Port() != t.debugger }

// Off says why nothing is held any more; "" while it is.
func (t *Table) Off() string { return t.off }

// all returns the sockets in one of the wanted states, in the order of their places.
func (t *Table) all(want func(state) bool) []*socket {
	return t.find(func(s *socket) bool { return want(s.state) })
}

// keptAt returns the kept sockets of the port of a place.
func (t *Table) keptAt(p Place) []*socket {
	return t.find(func(s *socket) bool {
		return s.place.Addr.Port() == p.Addr.Port() && s.place.Net == p.Net && s.state.kept()
	})
}

// count is how many sockets are in one of the wanted states.
func (t *Table) count(want func(state) bool) int {
	n := 0
	for _, s := range t.sockets {
		if want(s.state) {
			n++
		}
	}
	return n
}

// find returns the sockets that are wanted, in the order of their places.
func (t *Table) find(want func(*socket) bool) []*socket {
	var out []*socket
	for _, s := range t.sockets {
		if want(s) {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b *socket) int {
		if c := comparePlaces(a.place, b.place); c != 0 {
			return c
		}
		return int(min(max(int64(a.inode)-int64(b.inode), -1), 1))
	})
	return out
}

func isKept(s state) bool      { return s.kept() }
func isBound(s state) bool     { _, is := s.(bound); return is }
func isHeld(s state) bool      { _, is := s.(held); return is }
func isListening(s state) bool { _, is := s.(listening); return is }
func isRenewed(s state) bool   { _, is := s.(renewed); return is }

// isTaken reports whether the newest generation has it: devguard's copy is not the only one
// as long as it does not close it.
func isTaken(s state) bool { return s.kept() && !isHeld(s) && !isRenewed(s) }

// letGo forgets the sockets and has their copies closed.
func (t *Table) letGo(sockets []*socket, reason string) []Action {
	var acts []Action
	for _, s := range sockets {
		if s.state.kept() {
			acts = append(acts, LetGo{Inode: s.inode, Place: s.place, Reason: reason})
			t.remember(s.place, reason)
		}
		delete(t.sockets, s.inode)
	}
	return acts
}

// quietly has nobody told of what is let go.
func quietly(acts []Action) []Action {
	for i, a := range acts {
		if l, is := a.(LetGo); is {
			l.Quiet = true
			acts[i] = l
		}
	}
	return acts
}

func (t *Table) remember(p Place, reason string) {
	if t.gone == nil {
		t.gone = map[Place]string{}
	}
	t.gone[p] = reason
}

// turnOff ends holding for the run.
func (t *Table) turnOff(reason, hint string) []Action {
	if t.off != "" {
		return nil
	}
	acts := t.letGo(t.all(isKept), reason)
	t.off, t.sockets = reason, nil
	return append(acts, TurnOff{reason, hint})
}

// Failed ends holding for the run: something did not work that has to. hint says what would help, if
// anything is known to.
func (t *Table) Failed(reason, hint string) []Action { return t.turnOff(reason, hint) }

// Release lets go of everything and goes on: the settings say so.
func (t *Table) Release(reason string) []Action { return t.letGo(t.all(isKept), reason) }

// Ends says that devguard ends with the newest generation: nobody is to wait for another one.
func (t *Table) Ends() []Action {
	if t.off != "" {
		return nil
	}
	const reason = "devguard ends"
	acts := quietly(t.letGo(t.all(isKept), reason))
	t.off, t.sockets = reason, nil
	return acts
}

// Lost says that the copies are gone: what keeps them was killed. Of those that the newest generation has
// there can be others.
func (t *Table) Lost(reason string) []Action {
	acts := t.letGo(t.all(func(s state) bool { return s.kept() && !isTaken(s) }), reason)
	for _, s := range t.all(isTaken) {
		acts = append(acts, Recover{s.inode})
	}
	return acts
}

// Kept is a place that devguard has a copy of the socket of.
type Kept struct {
	Place   Place
	Options Options
	Taken   bool // the newest generation listens there
}

// Answers reports whether a connect to that address leads there. One without IP is any of this machine.
func (k Kept) Answers(addr netip.AddrPort) bool {
	at, to := k.Place.Addr.Addr().Unmap().WithZone(""), addr.Addr().Unmap().WithZone("")
	same := !to.IsValid() || at == to || at.IsUnspecified() && covers(at, k.Options, to)
	return same && k.Place.Addr.Port() == addr.Port()
}

// Kept returns every kept socket, in no order.
func (t *Table) Kept() []Kept {
	var out []Kept
	for _, s := range t.sockets {
		if s.state.kept() {
			l, _ := s.state.(listening)
			out = append(out, Kept{s.place, s.options, l.gen == t.gen})
		}
	}
	return out
}

// Snapshot describes every place, in a stable order.
func (t *Table) Snapshot() []Status {
	var out []Status
	for _, s := range t.all(func(s state) bool { return !isBound(s) }) {
		one := s.state.status()
		one.Place = s.place
		out = append(out, one)
	}
	for _, p := range slices.SortedFunc(maps.Keys(t.gone), comparePlaces) {
		out = append(out, Status{Place: p, Kind: PlaceLetGo, Reason: t.gone[p]})
	}
	return out
}
