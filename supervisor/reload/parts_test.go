package reload

import (
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/change"
)

// after lets time pass and answers what is in flight of a kind.
func (w *world) after(d time.Duration, kind string) {
	w.t.Helper()
	w.pass(d)
	e, ok := w.inFlight(kind)
	if !ok {
		w.t.Fatalf("no %s in flight, but %v", kind, w.flight)
	}
	w.answer(e, false)
}

// partsOf is what the newest line about a generation that is ready says.
func (w *world) partsOf(gen int) Parts {
	w.t.Helper()
	for i := len(w.logs) - 1; i >= 0; i-- {
		if l := w.logs[i]; l.What == LogInstanceReady && l.Gen == gen {
			return l.Parts
		}
	}
	w.t.Fatalf("generation %d was not ready: %+v", gen, w.logs)
	return Parts{}
}

const ms = time.Millisecond

// TestParts: what a save costs, step by step. Each answer of the world says that it took a second.
func TestParts(t *testing.T) {
	w := served(t, hooks(1))
	if p := w.partsOf(1); p.Settle != 0 || p.Stop != 0 || p.Drain != 0 || p.Hooks != time.Second || p.Build != time.Second || p.Start == 0 {
		t.Errorf("of the first start: %+v", p)
	}
	w.edit("/src/a.go", func(s *change.Snapshot) {
		s.Source, s.Seq, s.Hooks[0].Watch = digest(2), s.Seq+1, digest(2)
	})
	for _, step := range []struct {
		took time.Duration
		what string
	}{
		{7 * ms, "hook"}, {9 * ms, "build"}, {11 * ms, "check"}, {13 * ms, "stop"}, {17 * ms, "await"}, {19 * ms, "drain"},
		{23 * ms, "start"}, {29 * ms, "ready"},
	} {
		w.after(step.took, step.what)
	}
	want := Parts{Settle: 3 * ms, Hooks: time.Second, Build: time.Second, Stop: 30 * ms, Drain: 19 * ms, Start: 52 * ms}
	if p := w.partsOf(2); p != want {
		t.Errorf("%+v, want %+v", p, want)
	}
	w.calm()
	w.end()
}

// TestPartsOfWhatIsServed: only what has led to a generation counts for it.
func TestPartsOfWhatIsServed(t *testing.T) {
	w := served(t, hooks(1))
	w.broken = true
	w.edit("/src/a.go", func(s *change.Snapshot) { // a hook runs, and the build fails
		s.Source, s.Seq, s.Hooks[0].Watch = digest(2), s.Seq+1, digest(2)
	})
	w.calm()
	w.broken = false
	w.editSource(3)
	w.calm()
	if p := w.partsOf(2); p.Hooks != 0 || p.Build != time.Second || p.Settle != 3*ms {
		t.Errorf("after a build that has failed: %+v", p)
	}
	w.write("/src/a.tmpl", 2)
	w.calm()
	if p := w.partsOf(3); p.Build != 0 || p.Settle != 3*ms || p.Stop == 0 {
		t.Errorf("of a restart without a build: %+v", p)
	}
	e, _ := w.inFlight("await")
	w.answer(e, true) // it crashes
	w.calm()
	if p := w.partsOf(4); p.Stop != 0 || p.Drain != 0 || p.Settle != 0 || p.Start == 0 {
		t.Errorf("after a crash: %+v", p)
	}
	w.end()
}

// TestPartsOfTwoSaves: the second one is built while the first waits to be started.
func TestPartsOfTwoSaves(t *testing.T) {
	w := served(t, Options{})
	w.editSource(2)
	w.after(10*ms, "build")
	w.editSource(3)
	w.after(10*ms, "build")
	w.calm()
	if p := w.partsOf(3); p.Settle != 3*ms || p.Build != time.Second {
		t.Errorf("%+v", p)
	}
	w.end()
}
