package reload

import (
	"slices"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/change"
)

func (w *world) editEnv(n uint64) {
	w.t.Helper()
	w.edit("/.env", func(s *change.Snapshot) { s.Env = digest(n) })
	w.pass(time.Second)
}

// What keeps the next generation from starting must not cost the one that runs.
func TestRefusedRestartKeepsTheInstance(t *testing.T) {
	w := served(t, Options{})
	w.editEnv(2)
	c, ok := w.inFlight("check")
	if _, stopping := w.inFlight("stop"); !ok || stopping {
		t.Fatal("stopped before it was known that the next one can start")
	}
	w.answer(c, true)
	w.calm()
	if len(w.starts) != 1 || w.said(LogRestartRefused) != 1 || w.said(LogInstanceStopping) != 0 {
		t.Fatalf("%d starts, %d refused", len(w.starts), w.said(LogRestartRefused))
	}
	w.editEnv(3)
	w.calm()
	if len(w.starts) != 2 {
		t.Error("the repair is not served")
	}
}

func TestRefusedBuildIsServedAfterTheRepair(t *testing.T) {
	w := served(t, Options{})
	w.editSource(2)
	w.pass(time.Second)
	b, _ := w.inFlight("build")
	w.answer(b, false)
	c, _ := w.inFlight("check")
	w.answer(c, true)
	w.calm()
	w.editEnv(0) // as it was: the program is what differs
	w.editEnv(2)
	w.editEnv(0)
	w.calm()
	if len(w.starts) != 2 || w.st.inst.made.binary != digest(2) {
		t.Errorf("%d starts", len(w.starts))
	}
}

func TestCheckLooksAgainAfterAnEdit(t *testing.T) {
	w := served(t, Options{})
	w.editEnv(2)
	first, _ := w.inFlight("check")
	w.editEnv(3)
	if !w.canceled[idOf(first)] {
		t.Fatal("the first look still counts")
	}
	w.answer(first, true)
	w.calm()
	if len(w.starts) != 2 || w.said(LogRestartRefused) != 0 {
		t.Errorf("%d starts, %d refused", len(w.starts), w.said(LogRestartRefused))
	}
}

func TestInterruptDuringACheck(t *testing.T) {
	w := served(t, Options{})
	w.editEnv(2)
	c, _ := w.inFlight("check")
	w.step(Interrupt{})
	if !w.canceled[idOf(c)] {
		t.Error("a check that waits for something would hold up the end")
	}
	w.end()
}

func TestCrashDuringACheck(t *testing.T) {
	w := served(t, Options{RestartOnCrash: true})
	w.editEnv(2)
	a, _ := w.inFlight("await")
	w.answer(a, true)
	w.calm()
	if len(w.starts) != 2 {
		t.Errorf("%d starts", len(w.starts))
	}
}

// TestRefusedRestartAndAssets: pages of the generation that goes on take the stylesheet that was saved
// with what keeps the next one from its start.
func TestRefusedRestartAndAssets(t *testing.T) {
	w := served(t, Options{})
	w.edit("/app/.env", func(s *change.Snapshot) { s.Env, s.Styles = digest(2), digest(2) })
	w.pass(time.Second)
	c, ok := w.inFlight("check")
	if !ok {
		t.Fatalf("no check: %v", w.flight)
	}
	if len(w.refreshed) > 0 {
		t.Fatal("told although a restart is due")
	}
	w.answer(c, true)
	w.calm()
	if len(w.starts) != 1 || !slices.Equal(w.refreshed, []Refresh{{Styles: true}}) {
		t.Errorf("%d starts, told %v", len(w.starts), w.refreshed)
	}
}
