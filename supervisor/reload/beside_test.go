package reload

import (
	"slices"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/change"
)

// editConfig changes devguard.toml and lets it be read. The database side is another
// one when n is even.
func (w *world) editConfig(n uint64) {
	w.t.Helper()
	w.edit("/devguard.toml", func(s *change.Snapshot) { s.Config = digest(n) })
	w.pass(time.Second)
	e, ok := w.inFlight("config")
	if !ok {
		w.t.Fatal("devguard.toml is not read")
	}
	w.answer(e, false)
}

// closesRetired reports whether CloseRetired is in flight.
func (w *world) closesRetired() bool {
	return slices.ContainsFunc(w.flight, func(e Effect) bool { _, ok := e.(CloseRetired); return ok })
}

// What a generation was started with is closed after its drain, once.
func TestRetiredDatabaseIsClosedAfterTheDrain(t *testing.T) {
	w := served(t, Options{})
	w.editConfig(2)
	w.editConfig(4)
	for _, kind := range []string{"list", "list", "check", "stop", "await", "drain"} {
		e, ok := w.inFlight(kind)
		if !ok || w.closesRetired() {
			t.Fatalf("at %s (in flight: %v): closed too early: %v", kind, ok, w.closesRetired())
		}
		w.answer(e, false)
		w.pass(time.Second)
	}
	if !w.closesRetired() {
		t.Fatal("not closed after the drain")
	}
	w.calm()
	if w.retired != 0 || len(w.starts) != 2 {
		t.Errorf("%d are open, %d starts", w.retired, len(w.starts))
	}
	w.end()
}

// Without a generation there is nothing to wait for: the next one may want the address
// that the retired one holds.
func TestRetiredDatabaseIsClosedAtOnceWhenNothingRuns(t *testing.T) {
	w := served(t, Options{})
	a, _ := w.inFlight("await")
	w.answer(a, false) // it has exited by itself
	w.calm()
	w.editConfig(2)
	if !w.closesRetired() {
		t.Error("it waits, and for nothing")
	}
	w.end()
}

func TestRetiredDatabaseIsClosedAtTheEnd(t *testing.T) {
	w := served(t, Options{})
	w.editConfig(2)
	w.end() // counts them
	if w.lists == 0 || len(w.starts) != 1 {
		t.Errorf("%d starts", len(w.starts))
	}
}

func TestSameDatabaseIsKept(t *testing.T) {
	w := served(t, Options{})
	w.editConfig(3)
	w.calm() // CloseRetired without a cause would fail
	if len(w.starts) != 2 {
		t.Errorf("%d starts", len(w.starts))
	}
}

func TestQuitIsForwarded(t *testing.T) {
	forwarded := func(w *world) (gens []int) {
		for _, e := range w.flight {
			if q, ok := e.(ForwardQuit); ok {
				gens = append(gens, q.Gen)
			}
		}
		return gens
	}
	w := newWorld(t, Options{})
	w.step(Quit{})
	if got := forwarded(w); len(got) > 0 {
		t.Errorf("before a start: %v", got)
	}
	for _, kind := range []string{"list", "build"} {
		e, _ := w.inFlight(kind)
		w.answer(e, false)
		w.pass(time.Second)
	}
	w.step(Quit{}) // the user sees what it prints, and we have not heard of it yet
	if got := forwarded(w); !slices.Equal(got, []int{1}) {
		t.Errorf("during a start: forwarded to %v, want 1", got)
	}
	w.calm()
	w.step(Quit{})
	w.step(Interrupt{})
	w.step(Quit{}) // it hangs in its shutdown, and the user wants to know where
	if got := forwarded(w); !slices.Equal(got, []int{1, 1}) {
		t.Errorf("forwarded to %v, want 1 and 1", got)
	}
	w.end()
}

// A start is prepared for when there is time: once the app is ready, and not when it
// never will be.
func TestPrepareFollowsReady(t *testing.T) {
	prepared := func(w *world) bool {
		return slices.ContainsFunc(w.flight, func(e Effect) bool { _, ok := e.(Prepare); return ok })
	}
	for name, tt := range map[string]struct {
		ready ReadyDone
		want  bool
	}{
		"ready":     {ReadyDone{Rule: "http"}, true},
		"not ready": {ReadyDone{Err: errTest}, true},
		"cancelled": {ReadyDone{Cancelled: true}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Options{})
			for _, kind := range []string{"list", "build", "start"} {
				e, _ := w.inFlight(kind)
				w.answer(e, false)
				w.pass(time.Second)
			}
			tt.ready.ID = w.landed("ready")
			w.step(tt.ready)
			if got := prepared(w); got != tt.want {
				t.Errorf("prepared: %v", got)
			}
			w.end()
		})
	}
}

// What a stale answer brings is dropped with it.
func TestStaleAnswersBringNothing(t *testing.T) {
	w := served(t, Options{})
	w.edit("/go.mod", func(s *change.Snapshot) { s.Shape = digest(2) })
	w.pass(time.Second)
	stale, ok := w.inFlight("list")
	if !ok {
		t.Fatal("no listing")
	}
	w.editConfig(3) // another package, perhaps: the listing was made with old settings
	if !w.canceled[idOf(stale)] {
		t.Fatal("the listing goes on")
	}
	w.answer(stale, false)
	if slices.Contains(w.adopted, idOf(stale)) {
		t.Error("a stale graph is adopted")
	}
	fresh, _ := w.inFlight("list")
	w.answer(fresh, false)
	if !slices.Contains(w.adopted, idOf(fresh)) {
		t.Error("the new graph is not adopted")
	}
	w.calm()
	w.end()
}

// What a doer could not do is said, wherever it stops nothing.
func TestTroubleBesideIsSaid(t *testing.T) {
	w := served(t, Options{})
	w.step(Quit{})
	q, _ := w.inFlight("beside")
	w.answer(q, true)
	w.step(Restart{})
	w.calm()
	w.step(Interrupt{})
	for _, kind := range []string{"stop", "await"} {
		e, _ := w.inFlight(kind)
		w.answer(e, false)
	}
	d, _ := w.inFlight("drain")
	w.answer(d, true)
	if n := w.said(LogWarning); n != 2 {
		t.Errorf("%d lines for two failures", n)
	}
	w.end()
}
