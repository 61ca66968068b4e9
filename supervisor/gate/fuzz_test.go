package gate

import (
	"testing"
	"time"
)

// FuzzGate plays any sequence of events and looks after each whether the promises of the package
// hold.
func FuzzGate(f *testing.F) {
	f.Add([]byte{0, 1, 9, 2, 9, 10, 3, 4, 0, 1, 12, 9})
	f.Add([]byte{9, 6, 9, 7, 0, 2, 11, 8, 9, 10, 13, 14})
	f.Fuzz(func(t *testing.T, events []byte) {
		w := &world{t: t, g: New(Options{Hold: hold}), now: epoch, requests: map[ID]*request{}}
		for _, e := range events {
			w.step(int(e%16), int(e/16))
		}
		w.finish()
	})
}

type request struct {
	arrived time.Time
	verdict Verdict
	broken  bool // the app may have seen it
}

// world is the front around a Gate, and what is true of the app.
type world struct {
	t        *testing.T
	g        *Gate
	now      time.Time
	gen      int
	exists   bool // a process of gen
	asked    bool // it was asked to stop
	found    bool // it was ready, or was awaited in vain
	closed   bool
	requests map[ID]*request
	order    []ID
}

func (w *world) step(event, which int) {
	w.now = w.now.Add(time.Duration(which) * 100 * time.Millisecond)
	switch event {
	case 0:
		if !w.exists {
			w.gen++
			w.exists, w.asked, w.found = true, false, false
			w.g.Started(w.gen)
		}
	case 1:
		w.g.Ready(w.gen)
		w.found = true
	case 2:
		w.g.NotReady(w.gen, "late")
		w.found = true
	case 3:
		w.g.Stopping(w.gen)
		w.asked = true
	case 4:
		if w.asked {
			w.g.Ended(w.gen)
			w.exists = false
		}
	case 5:
		w.g.Exited(w.gen)
		w.exists = w.asked && w.exists
	case 6:
		if which%2 == 0 {
			w.g.Idle("idle")
		} else {
			w.g.Crashed("crashed", 1+which%3)
		}
	case 7:
		w.g.Active()
	case 8:
		if which == 15 {
			w.g.Close()
			w.closed = true
		}
	case 9:
		page := which%2 == 0
		id, v := w.g.Arrive(w.now, Request{Page: page, Reads: page})
		w.requests[id] = &request{arrived: w.now}
		w.order = append(w.order, id)
		w.take(id, v)
	default:
		w.goOn(event, which)
	}
}

// goOn does one thing with one request, if it is in the state for it.
func (w *world) goOn(event, which int) {
	if len(w.order) == 0 {
		return
	}
	id := w.order[which%len(w.order)]
	r := w.requests[id]
	switch r.verdict.(type) {
	case Wait:
		w.take(id, w.g.Ask(id, w.now))
	case Fail:
		w.over(id)
	case Send:
		switch event {
		case 10:
			w.take(id, w.g.Unsent(id, w.now))
		case 11:
			r.broken = true
			w.take(id, w.g.Broken(id))
		case 12, 13, 14:
			w.g.Answered(id, w.now, Kind(event-11))
			w.over(id)
		default:
			w.over(id)
		}
	}
}

func (w *world) over(id ID) {
	w.g.Over(id)
	delete(w.requests, id)
	for i := range w.order {
		if w.order[i] == id {
			w.order = append(w.order[:i:i], w.order[i+1:]...)
			break
		}
	}
}

// take looks whether a verdict is allowed.
func (w *world) take(id ID, v Verdict) {
	r := w.requests[id]
	r.verdict = v
	switch v := v.(type) {
	case Send:
		if !w.exists || w.asked || !w.found || v.Gen != w.gen || w.closed {
			w.t.Fatalf("sent to generation %d: %+v", v.Gen, w)
		}
		if r.broken {
			w.t.Fatalf("request %d is sent again although the app may have seen it", id)
		}
	case Wait:
		if v.Until.After(r.arrived.Add(hold)) || !v.Until.After(w.now) {
			w.t.Fatalf("at %v it waits until %v, and arrived at %v", w.now, v.Until, r.arrived)
		}
	}
}

// finish looks that every request comes to an end, and that nothing is owed then.
func (w *world) finish() {
	for len(w.order) > 0 {
		id := w.order[0]
		for tries := 0; ; tries++ {
			r := w.requests[id]
			if _, failed := r.verdict.(Fail); failed {
				break
			}
			if tries > 1000 {
				w.t.Fatalf("request %d does not end: %#v", id, r.verdict)
			}
			switch v := r.verdict.(type) {
			case Wait:
				w.now = v.Until
				w.take(id, w.g.Ask(id, w.now))
			case Send:
				w.take(id, w.g.Unsent(id, w.now))
			}
		}
		w.over(id)
	}
	if n, _ := w.g.Unanswered(w.gen, w.now, w.now); n != 0 {
		w.t.Fatalf("%d unanswered when all are over", n)
	}
}
