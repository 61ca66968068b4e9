package hold

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Started says that the process of a generation exists. The one before must have ended.
func (t *Table) Started(now time.Time, gen int) []Action {
	switch t.phase.(type) {
	case nil, away, down:
	default:
		panic(fmt.Sprintf("BUG: generation %d starts while generation %d is there", gen, t.gen))
	}
	acts := t.Active()
	t.gen, t.started, t.phase, t.took, t.waited, t.empty, t.looks = gen, now, starting{}, false, nil, nil, 0
	return acts
}

// Ready says that a generation was found ready.
func (t *Table) Ready(now time.Time, gen int) []Action {
	if !t.runs(gen) {
		return nil
	}
	if _, ends := t.phase.(stopping); ends {
		return nil
	}
	t.phase = ready{since: now, look: now.Add(lookEvery)}
	switch {
	case t.took:
		t.trust, t.suspicion = proven, none
	case t.suspicion == repeated && t.failed == t.program:
		return t.turnOff("a generation ended without having taken what was held for it, and generation "+strconv.Itoa(gen)+", for which nothing was held, is ready", "")
	default:
		t.suspicion = none
	}
	return nil
}

// NotReady says that a generation was not ready in time. It goes on.
func (t *Table) NotReady(now time.Time, gen int) []Action {
	if _, is := t.phase.(starting); !is || !t.runs(gen) {
		return nil
	}
	t.phase = unready{look: now.Add(lookEvery)}
	return t.untaken(now, "generation "+strconv.Itoa(gen)+" was not ready in time, and has not taken it")
}

// untaken lets go of what the newest generation has not taken, and makes of it what that
// says of the app.
func (t *Table) untaken(now time.Time, reason string) []Action {
	left := t.all(isHeld)
	switch {
	case !slices.ContainsFunc(left, t.ofApp):
		t.suspicion = none // it fails with nothing held for it, too
	case !t.took && t.trust == proven:
		t.trust, t.suspicion = untested, once
	case !t.took:
		t.suspicion, t.failed = repeated, t.program
	}
	return t.tooLate(now, left, reason)
}

// patience is how long a generation that is ready may take to bind a socket that is held for it: one
// that is ready by the rule `alive`, or by another socket, may be loading still, as one of the same app
// did before.
func (t *Table) patience(s *socket) time.Duration {
	return min(max(untaken, 2*t.binds[s.place]), downLimit)
}

// impatient lets go of what a generation has not taken that is ready since then.
func (t *Table) impatient(now, since time.Time) []Action {
	var acts []Action
	for _, s := range t.all(isHeld) {
		if patience := t.patience(s); !now.Before(since.Add(patience)) {
			acts = append(acts, t.tooLate(now, []*socket{s}, fmt.Sprintf("generation %d is ready for %v, and has not taken it", t.gen, patience))...)
		}
	}
	return acts
}

// tooLate lets go of what the newest generation has not taken in time, and remembers that it had its
// chance.
func (t *Table) tooLate(now time.Time, left []*socket, reason string) []Action {
	for _, s := range left {
		if t.waited == nil {
			t.waited = map[Place]time.Time{}
		}
		t.waited[s.place] = now
	}
	return t.letGo(left, reason)
}

// Exited says that the main process of a generation has ended. When nobody had asked it to,
// it comes before Stopping.
func (t *Table) Exited(now time.Time, gen int) []Action {
	if !t.runs(gen) {
		return nil
	}
	var acts []Action
	if _, asked := t.phase.(stopping); !asked {
		// Also one that was found ready: by being alive for a second, while its connect to
		// the port that is held for it took as long.
		acts = t.untaken(now, "generation "+strconv.Itoa(gen)+" ended, and has not taken it")
	}
	return append(acts, t.end(now, t.lengthen(true))...)
}

// Stopping says that a generation is being ended, also what is left of it when its main
// process is gone.
func (t *Table) Stopping(now time.Time, gen int) []Action {
	if !t.runs(gen) {
		return nil
	}
	var acts []Action
	for _, s := range t.all(isListening) {
		if t.ofApp(s) {
			acts = append(acts, Renew{s.inode})
		} else { // a debugger goes on accepting: it is what stops the app
			acts = append(acts, Lengthen{s.inode, true})
		}
	}
	return t.end(now, acts)
}

// end has new connections wait, by acts: the generation accepts none for much longer.
func (t *Table) end(now time.Time, acts []Action) []Action {
	if _, is := t.phase.(stopping); is {
		return nil
	}
	t.phase = stopping{now.Add(lengthenEvery)}
	return acts
}

func (t *Table) lengthen(stops bool) []Action {
	var acts []Action
	for _, s := range t.all(isListening) {
		acts = append(acts, Lengthen{s.inode, stops})
	}
	return acts
}

// Renewed says that Renew has made the socket `to`: whoever connects from now on waits there, and
// the generation that is stopping sees nobody new.
func (t *Table) Renewed(now time.Time, from, to uint64) {
	s := t.sockets[from]
	delete(t.sockets, from)
	s.inode, s.state = to, renewed{from, now}
	t.sockets[to] = s
}

// NotRenewed says that Renew did not work: we and the generation go on with the same socket.
func (t *Table) NotRenewed(inode uint64) []Action {
	return []Action{Lengthen{inode, true}}
}

// Ended says that no process of a generation is left, or none that can be ended.
func (t *Table) Ended(now time.Time, gen int) []Action {
	if gen != t.gen || t.phase == nil {
		return nil
	}
	acts := t.lengthen(false)
	for _, s := range t.all(isRenewed) {
		acts = append(acts, TakeOver{s.inode})
	}
	t.letGo(t.all(isBound), "") // says nothing: there is no copy
	for _, s := range t.all(isKept) {
		if _, is := s.state.(held); !is {
			s.state = held{now}
		}
	}
	t.phase = away{}
	return acts
}

// Idle says that no generation is on its way: nothing happens before a change, or before the pause after
// so many crashes in a row is over. reason is for whoever connects meanwhile.
func (t *Table) Idle(now time.Time, reason string, crashes int) []Action {
	switch p := t.phase.(type) {
	case away:
		if goesOn := t.outage.crashes > 0 && crashes > t.outage.crashes; !goesOn {
			t.outage = outage{since: now}
		}
	case down:
		if p.reason == reason {
			return nil
		}
	default:
		return nil
	}
	t.outage.crashes = crashes
	t.phase = down{reason}
	var acts []Action
	for _, s := range t.all(isKept) {
		acts = append(acts, Answer{s.inode, reason})
	}
	return acts
}

// Active says that something is done that may bring a generation: an edit, a build.
func (t *Table) Active() []Action {
	if _, is := t.phase.(down); !is {
		return nil
	}
	t.phase = away{}
	var acts []Action
	for _, s := range t.all(isKept) {
		acts = append(acts, Silence{s.inode})
	}
	return acts
}

// Tick does what is due.
func (t *Table) Tick(now time.Time) []Action {
	if d := t.Deadline(); d.IsZero() || now.Before(d) {
		return nil
	}
	switch p := t.phase.(type) {
	case ready:
		acts := t.impatient(now, p.since)
		if !now.Before(p.look) {
			p.look = now.Add(lookEvery)
			t.phase = p
			acts = append(acts, t.look()...)
		}
		return acts
	case unready:
		t.phase = unready{now.Add(lookEvery)}
		return t.look()
	case stopping:
		t.phase = stopping{now.Add(lengthenEvery)}
		return t.lengthen(true)
	case down:
		return t.downForLong()
	}
	return nil
}

// downForLong lets go of everything. A generation that is tried after that, and crashes as well, is no
// news.
func (t *Table) downForLong() []Action {
	acts := t.letGo(t.all(isKept), t.outage.String())
	if t.outage.told {
		acts = quietly(acts)
	}
	t.outage.told = true
	return acts
}

func (t *Table) look() []Action {
	var inodes []uint64
	for _, s := range t.all(isTaken) {
		inodes = append(inodes, s.inode)
	}
	if inodes == nil {
		return nil
	}
	t.looks++
	// What was found once has to be found twice.
	all := t.looks%allEvery == 0 || t.looks%allEvery == 1 && len(t.empty) > 0
	return []Action{Look{inodes, all}}
}
