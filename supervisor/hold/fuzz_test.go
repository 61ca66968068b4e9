package hold

import (
	"net/netip"
	"slices"
	"strconv"
	"testing"
	"time"
)

// FuzzTable plays any order of events, as the supervisor may bring them, against a model of
// what the kernel and the app have, and holds what must be true of all of them.
func FuzzTable(f *testing.F) {
	f.Add([]byte{0, 1, 8, 2, 8, 3, 4, 5, 0, 1, 8, 2, 8, 3})
	f.Add([]byte{0, 1, 8, 2, 8, 3, 4, 5, 6, 200, 0, 1, 9, 7, 3, 4})
	f.Add([]byte{0, 1, 8, 2, 8, 4, 5, 0, 10, 5, 0, 1, 8, 2, 8, 3, 6, 250})
	f.Fuzz(func(t *testing.T, script []byte) {
		w := world{t: t, now: zero, table: new(Table), open: map[uint64]bool{}, kept: map[uint64]bool{}, told: map[uint64]bool{}, deferred: map[uint64]bool{}, olds: map[uint64]uint64{}}
		for len(script) > 0 {
			script = w.play(script)
		}
		w.rest()
	})
}

type world struct {
	t     *testing.T
	now   time.Time
	table *Table
	gen   int
	alive bool
	ends  bool
	inode uint64
	fresh []fresh         // sockets of the app that are bound
	open  map[uint64]bool // kept sockets that the app has open
	kept  map[uint64]bool // copies that we have
	told  map[uint64]bool // those on which we answer

	deferred map[uint64]bool
	olds     map[uint64]uint64 // sockets from before Renew, by the new ones
	lost     bool              // the copies were, just now
	off      bool
}

type fresh struct {
	inode uint64
	place Place
}

var addresses = []Place{place(local), place("0.0.0.0:8080"), place("[::1]:8080"), place("[::]:8080"), place("127.0.0.1:9"), place("127.0.0.1:0")}

func (w *world) play(script []byte) []byte {
	op, rest := script[0]%14, script[1:]
	arg := byte(0)
	if len(rest) > 0 {
		arg = rest[0]
	}
	switch {
	case op == 6:
		w.now = w.now.Add(time.Duration(arg) * 100 * time.Millisecond)
		w.do(w.table.Tick(w.now))
		return rest[min(1, len(rest)):]
	case op == 0 && !w.alive:
		w.gen++
		w.alive, w.ends = true, false
		w.do(w.table.Started(w.now, w.gen))
	case op == 7:
		w.do(w.table.Active())
	case op == 11:
		w.do(w.table.Idle(w.now, "reason "+strconv.Itoa(int(arg%2)), int(arg%5)))
	case op == 12:
		w.lose()
	case !w.alive:
	case op == 1:
		w.bind(addresses[int(arg)%len(addresses)], arg)
		return rest[min(1, len(rest)):]
	case op == 2:
		w.listen(int(arg))
		return rest[min(1, len(rest)):]
	case op == 3 && !w.ends:
		w.do(w.table.Ready(w.now, w.gen))
	case op == 8 && !w.ends:
		w.do(w.table.NotReady(w.now, w.gen))
	case op == 9: // the app closes what it has
		w.fresh, w.open = nil, map[uint64]bool{}
	case op == 10 && !w.ends:
		w.ends = true
		w.do(w.table.Exited(w.now, w.gen))
	case op == 13 && arg%8 == 0:
		w.do(w.table.Ends())
		w.off = true
	case op == 4:
		w.ends = true
		w.do(w.table.Stopping(w.now, w.gen))
	case op == 5 && w.ends:
		w.alive, w.fresh, w.open = false, nil, map[uint64]bool{}
		w.do(w.table.Ended(w.now, w.gen))
		if len(w.olds) > 0 {
			w.t.Fatalf("nobody comes for those who wait on sockets from before: %v", w.olds)
		}
	}
	return rest
}

// lose has the copies gone with who keeps them.
func (w *world) lose() {
	w.kept, w.told, w.deferred, w.olds = map[uint64]bool{}, map[uint64]bool{}, map[uint64]bool{}, map[uint64]uint64{}
	w.lost = true
	w.do(w.table.Lost("killed"))
	w.lost = false
}

func (w *world) bind(p Place, arg byte) {
	w.inode++
	r := Request{Gen: w.gen, Inode: w.inode, Place: p, Open: w.open, Options: Options{KeepAlive: arg > 200, V6Only: arg > 100 && arg < 150}}
	verdict, inode, acts := w.table.Bind(w.now, r)
	w.do(acts)
	switch verdict {
	case Confirm:
		w.t.Fatal("a new socket was not handed over before")
	case HandOver:
		switch {
		case w.deferred[inode]:
			w.t.Fatalf("handed over %d, which is deferred", inode)
		case w.told[inode]:
			w.t.Fatalf("handed over %d, on which we answer", inode)
		case !w.kept[inode]:
			w.t.Fatalf("handed over %d, of which there is no copy", inode)
		case w.open[inode]:
			w.t.Fatalf("handed over %d, which the app has open", inode)
		}
		w.open[inode] = true
		w.fresh = append(w.fresh, fresh{inode, p})
		return
	}
	// What the kernel would say but for our copies.
	for _, s := range w.table.all(isKept) {
		isOpen := slices.ContainsFunc(s.inodes(), func(i uint64) bool { return w.open[i] })
		if overlap(s.place, s.options, p, r.Options) && !isOpen && w.table.runs(w.gen) && p.Addr.Port() != 0 {
			w.t.Fatalf("bind of %v fails because of a copy of %v", p, s.place)
		}
	}
	w.fresh = append(w.fresh, fresh{w.inode, p})
}

func (w *world) listen(i int) {
	if len(w.fresh) == 0 {
		return
	}
	s := w.fresh[i%len(w.fresh)]
	_, acts := w.table.Listen(w.now, w.gen, s.inode, s.place)
	for _, a := range acts {
		if k, ok := a.(Keep); ok {
			w.kept[k.Inode], w.open[k.Inode] = true, true
		}
	}
	w.do(acts)
}

// renew works for every other socket.
func (w *world) renew(inode uint64) {
	if !w.kept[inode] {
		w.t.Fatalf("renew %d, of which there is no copy", inode)
	}
	if inode%2 == 0 {
		w.do(w.table.NotRenewed(inode))
		return
	}
	w.inode++
	delete(w.kept, inode)
	w.kept[w.inode] = true
	w.olds[w.inode] = inode
	w.table.Renewed(w.now, inode, w.inode)
}

// do checks what is asked for.
func (w *world) do(acts []Action) {
	for _, a := range acts {
		switch a := a.(type) {
		case LetGo:
			if !w.kept[a.Inode] && !w.lost || a.Reason == "" {
				w.t.Fatalf("let go of %d (%q), kept: %v", a.Inode, a.Reason, w.kept)
			}
			delete(w.kept, a.Inode)
			delete(w.told, a.Inode)
			delete(w.deferred, a.Inode)
			delete(w.olds, a.Inode)
		case Lengthen:
			if !w.kept[a.Inode] {
				w.t.Fatalf("lengthen %d, of which there is no copy", a.Inode)
			}
			w.deferred[a.Inode] = a.Defer
		case Renew:
			w.renew(a.Inode)
		case TakeOver:
			old, is := w.olds[a.Inode]
			if !w.kept[a.Inode] || !is || w.open[old] {
				w.t.Fatalf("take over %d from %d, kept: %v, open: %v", a.Inode, old, w.kept, w.open)
			}
			delete(w.olds, a.Inode)
		case Look:
			var closed []uint64
			for _, i := range a.Inodes {
				if !w.open[i] && (a.All || i%2 == 0) { // clients wait for those alone
					closed = append(closed, i)
				}
			}
			w.do(w.table.Closed(closed))
		case Answer:
			if !w.kept[a.Inode] || w.alive || a.Reason == "" {
				w.t.Fatalf("answer on %d (%q), kept: %v, while the app runs: %v", a.Inode, a.Reason, w.kept, w.alive)
			}
			w.told[a.Inode] = true
		case Recover:
			if !w.alive {
				w.t.Fatalf("recover %d of nobody", a.Inode)
			}
			if w.kept[a.Inode] = w.open[a.Inode]; !w.open[a.Inode] {
				delete(w.kept, a.Inode)
				w.do(w.table.Broken(a.Inode, "killed"))
			}
		case Silence:
			if !w.told[a.Inode] {
				w.t.Fatalf("silence on %d, on which nobody answers", a.Inode)
			}
			delete(w.told, a.Inode)
		case TurnOff:
			if w.off {
				w.t.Fatal("turned off twice")
			}
			w.off = true
		}
	}
	if w.off && len(w.kept) > 0 {
		w.t.Fatalf("off, and copies are left: %v", w.kept)
	}
	for _, s := range w.table.Snapshot() {
		if s.Place.Addr == (netip.AddrPort{}) || s.Kind == "" {
			w.t.Fatalf("status %v", s)
		}
	}
}

// rest lets time pass: whoever has nothing open in the end must have nothing held, too, but
// while a generation starts, for which its readiness sets an end.
func (w *world) rest() {
	if w.alive && !w.ends {
		w.do(w.table.NotReady(w.now, w.gen))
	}
	w.do(w.table.Idle(w.now, "the end", 0))
	for range 200 {
		d := w.table.Deadline()
		if d.IsZero() {
			break
		}
		if d.After(w.now) {
			w.now = d
		}
		w.do(w.table.Tick(w.now))
	}
	for inode := range w.kept {
		if stops := w.alive && w.ends; !w.open[inode] && !stops { // a stop ends, and is followed by a start or by nothing
			w.t.Fatalf("%d is kept for ever: %v", inode, w.table.sockets[inode].state.status())
		}
	}
}
