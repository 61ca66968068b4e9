package hold

import (
	"cmp"
	"slices"
	"strconv"
	"time"
)

// Request is a bind of a TCP socket.
type Request struct {
	Gen     int // the generation that calls
	Inode   uint64
	Place   Place
	Options Options

	// Open says of the sockets that Near has named which ones a process of the tree
	// has open.
	Open map[uint64]bool
	// Fixed says why another socket cannot be put in the place of this one: its
	// descriptor is in an epoll set, or was duplicated. "" when it can. It is looked at
	// only when Near has named a socket.
	Fixed string
}

// Verdict is how a bind is answered.
type Verdict int

// The verdicts.
const (
	// Continue has the kernel do it.
	Continue Verdict = iota
	// HandOver puts the kept socket in the place of the caller's; bind has then succeeded.
	// When that fails, the caller is told to Continue after Broken.
	HandOver
	// Confirm says that bind has succeeded: the socket was handed over before, and the
	// answer was lost, because a signal interrupted the call.
	Confirm
)

// Near returns the sockets that a bind of that place has to do with. When there are
// none, a Request needs nothing but its first fields.
func (t *Table) Near(p Place) []uint64 {
	var inodes []uint64
	for _, s := range t.keptAt(p) {
		inodes = append(inodes, s.inodes()...)
	}
	return inodes
}

// runs reports whether that generation is the newest and has processes.
func (t *Table) runs(gen int) bool {
	if t.off != "" || gen != t.gen {
		return false
	}
	switch t.phase.(type) {
	case starting, ready, unready, stopping:
		return true
	}
	return false
}

// Bind decides about one call. With HandOver or Confirm, inode is the kept socket.
// Actions are to be done before the answer.
func (t *Table) Bind(now time.Time, r Request) (verdict Verdict, inode uint64, acts []Action) {
	if !t.runs(r.Gen) {
		return Continue, 0, nil
	}
	if s := t.sockets[r.Inode]; s != nil && s.state.kept() {
		if s.state == (handed{r.Gen}) && s.place == r.Place {
			return Confirm, s.inode, nil
		}
		return Continue, 0, nil // the kernel knows that it is bound already
	}
	if r.Place.Addr.Port() == 0 {
		return Continue, 0, nil // the next generation gets another port
	}
	if at, was := t.waited[r.Place]; was && now.Sub(at) < awaited {
		return Continue, 0, t.turnOff("generation "+strconv.Itoa(t.gen)+" bound "+r.Place.String()+" only when devguard had let go of it", "")
	}
	match, acts := t.makeWay(r)
	if match == nil {
		t.note(r)
		return Continue, 0, acts
	}
	if _, stops := t.phase.(stopping); stops && isListening(match.state) {
		acts = append(acts, Lengthen{Inode: match.inode}) // and no longer deferred: a process that goes on has it
	}
	if isRenewed(match.state) { // nobody has the one from before any more: the next renewal needs it gone
		acts = append(acts, TakeOver{Inode: match.inode})
	}
	match.state = handed{t.gen}
	t.took = t.took || t.ofApp(match)
	return HandOver, match.inode, acts
}

// makeWay returns the socket to hand over, if there is one, and lets go of those that
// stand in the way.
func (t *Table) makeWay(r Request) (match *socket, acts []Action) {
	for _, s := range t.keptAt(r.Place) {
		isOpen := slices.ContainsFunc(s.inodes(), func(inode uint64) bool { return r.Open[inode] })
		if isOpen || !overlap(s.place, s.options, r.Place, r.Options) {
			continue
		}
		reason := ""
		switch differs := s.options.difference(r.Options); {
		case s.place != r.Place:
			reason = "generation " + strconv.Itoa(t.gen) + " binds " + r.Place.String()
		case differs != "":
			reason = "generation " + strconv.Itoa(t.gen) + " sets another " + differs
		case r.Fixed != "":
			reason = "it cannot be handed over: " + r.Fixed
		default:
			match = s
			continue
		}
		acts = append(acts, t.letGo([]*socket{s}, reason)...)
	}
	return match, acts
}

// note remembers a bind that the kernel does, for the listen that may follow. Sockets
// with SO_REUSEPORT are left alone: several workers may have one each. Of too many the oldest is
// forgotten: most binds that no listen follows have failed, or are those of clients.
func (t *Table) note(r Request) {
	delete(t.sockets, r.Inode)
	if r.Options.ReusePort {
		return
	}
	if t.sockets == nil {
		t.sockets = map[uint64]*socket{}
	}
	t.noted++
	t.sockets[r.Inode] = &socket{r.Inode, r.Place, r.Options, bound{t.gen, t.noted}}
	if all := t.all(isBound); len(all) > maxBound {
		oldest := slices.MinFunc(all, func(a, b *socket) int { return cmp.Compare(a.state.(bound).nth, b.state.(bound).nth) })
		delete(t.sockets, oldest.inode)
	}
}

// Broken says that something did not work with one socket: HandOver, whose copy stands in the way then,
// or an Action.
func (t *Table) Broken(inode uint64, reason string) []Action {
	s := t.sockets[inode]
	if s == nil {
		return nil
	}
	return t.letGo([]*socket{s}, reason)
}

// Listen says that a process of gen calls listen on a socket that is bound to place. The verdict is
// Continue, or Confirm for one that was handed over: it listens already, and its queue stays long.
// Those who wait are more than the backlog of many servers (5 in Python's http.server), and the
// kernel resets new clients of a queue that is longer than its backlog.
func (t *Table) Listen(now time.Time, gen int, inode uint64, place Place) (Verdict, []Action) {
	s := t.sockets[inode]
	if !t.runs(gen) || s == nil || s.place != place {
		return Continue, nil // one that nobody has seen bind: to port 0, or before devguard was there
	}
	switch s.state.(type) {
	case bound:
		if t.count(isKept) >= maxKept {
			delete(t.sockets, inode)
			return Continue, nil
		}
		t.listens(now, s)
		return Continue, []Action{Keep{inode}}
	case handed, held:
		t.listens(now, s)
		return Confirm, []Action{Lengthen{Inode: inode}}
	}
	return Continue, nil
}

// listens says that the newest generation listens on a socket. What it opens after a minute says
// nothing of its start.
func (t *Table) listens(now time.Time, s *socket) {
	s.state = listening{t.gen}
	delete(t.gone, s.place)
	if after := now.Sub(t.started); after < downLimit {
		if t.binds == nil {
			t.binds = map[Place]time.Duration{}
		}
		t.binds[s.place] = after.Round(time.Second)
	}
}

// Keeps reports whether devguard has a copy of the socket.
func (t *Table) Keeps(inode uint64) bool {
	s := t.sockets[inode]
	return s != nil && s.state.kept()
}

// Closed says of which sockets Look has found that no process of the tree has them open, and that
// clients wait on them or all were looked at. Found so once it may be between a close and the next
// bind.
func (t *Table) Closed(inodes []uint64) []Action {
	var acts []Action
	before := t.empty
	t.empty = inodes
	for _, inode := range inodes {
		if !slices.Contains(before, inode) {
			continue
		}
		if s := t.sockets[inode]; s != nil && isTaken(s.state) && t.serves() {
			acts = append(acts, t.letGo([]*socket{s}, "generation "+strconv.Itoa(t.gen)+" has closed it")...)
		}
	}
	return acts
}

// serves reports whether the newest generation has had its time to bind.
func (t *Table) serves() bool {
	switch t.phase.(type) {
	case ready, unready:
		return true
	}
	return false
}

// Deadline is when Tick has something to do; zero for never.
func (t *Table) Deadline() time.Time {
	isKeptNow, listens := t.count(isKept) > 0, t.count(isTaken) > 0
	switch p := t.phase.(type) {
	case ready:
		var first time.Time
		for _, s := range t.all(isHeld) {
			first = sooner(first, p.since.Add(t.patience(s)))
		}
		if listens {
			first = sooner(first, p.look)
		}
		return first
	case unready:
		if listens {
			return p.look
		}
	case stopping:
		if listens {
			return p.lengthen
		}
	case down:
		if isKeptNow {
			return t.outage.since.Add(downLimit)
		}
	}
	return time.Time{}
}

// sooner is the earlier of two times; zero is none.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
