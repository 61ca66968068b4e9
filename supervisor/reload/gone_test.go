package reload

import (
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/change"
)

// A binary that somebody has removed is built again, whoever finds that out.
func TestMissingBinaryIsBuiltAgain(t *testing.T) {
	for name, tt := range map[string]struct {
		kind string
		lead func(*world)
	}{
		"by a check before a restart": {"check", func(w *world) {
			w.edit("/a.html", func(s *change.Snapshot) { s.Runtime = digest(2) })
			w.pass(time.Second)
		}},
		"by the start after a crash": {"start", func(w *world) {
			for _, kind := range []string{"await", "stop", "drain"} {
				e, _ := w.inFlight(kind)
				w.answer(e, kind == "await")
			}
			w.pass(time.Second)
		}},
		"by key r": {"check", func(w *world) {
			w.step(Restart{})
			b, _ := w.inFlight("build")
			w.answer(b, false)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := served(t, Options{RestartOnCrash: true})
			tt.lead(w)
			builds := w.said(LogBuildStarted)
			e, ok := w.inFlight(tt.kind)
			if !ok {
				t.Fatalf("no %s: %v", tt.kind, w.flight)
			}
			w.removed = true
			w.answer(e, true)
			w.calm()
			if n := w.said(LogBuildStarted) - builds; n != 1 {
				t.Errorf("%d builds", n)
			}
			if snap := w.st.Snapshot(); snap.Phase != "running" || w.st.inst.made.runtime != w.tree.Runtime || len(snap.Holds) > 0 {
				t.Errorf("not served: %+v", snap)
			}
			if w.said(LogRestartRefused)+w.said(LogStartFailed) > 0 {
				t.Error("refused")
			}
			w.end()
		})
	}
}

// A fast build may find that it need not link, and the binary that it counts on is removed meanwhile.
func TestMissingBinaryThatABuildCountsOn(t *testing.T) {
	w := fastServed(t)
	w.edit("/a.html", func(s *change.Snapshot) { s.Runtime = digest(2) })
	w.pass(time.Second)
	w.step(Restart{})
	c, checks := w.inFlight("check")
	b, builds := w.inFlight("build")
	if !checks || !builds || b.(Build).Binary != digest(1) {
		t.Fatalf("in flight: %v", w.flight)
	}
	w.removed = true
	w.answer(c, true)
	w.answer(b, false)
	w.calm()
	if snap := w.st.Snapshot(); len(w.starts) != 2 || w.starts[1].Binary == "" || snap.Phase != "running" || len(snap.Holds) > 0 {
		t.Errorf("%d starts, %+v", len(w.starts), snap)
	}
	w.end()
}

// While the tree does not build there is nothing to start: what runs goes on, and one
// that crashes waits for the repair.
func TestMissingBinaryOfABrokenTree(t *testing.T) {
	w := served(t, Options{RestartOnCrash: true})
	w.edit("/a.html", func(s *change.Snapshot) { s.Runtime = digest(2) })
	w.pass(time.Second)
	w.broken, w.removed = true, true
	c, _ := w.inFlight("check")
	w.answer(c, true)
	w.calm()
	if len(w.starts) != 1 || w.st.Snapshot().Phase != "running" || w.said(LogBuildFailed) != 1 {
		t.Fatalf("%+v", w.st.Snapshot())
	}
	a, _ := w.inFlight("await")
	w.answer(a, true)
	w.calm()
	if len(w.starts) != 1 || !w.st.Deadline().IsZero() {
		t.Fatalf("%d starts, %+v", len(w.starts), w.st.Snapshot())
	}
	w.broken = false
	w.editSource(3)
	w.calm()
	if len(w.starts) != 2 || w.st.Snapshot().Phase != "running" {
		t.Errorf("%+v", w.st.Snapshot())
	}
	w.end()
}
