package reload

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/change"
)

// What changes while a long round is at its last step must not wait for the
// next event.
func TestChangeAtTheEndOfALongRound(t *testing.T) {
	opts := hooks(1)
	opts.Hooks[0].Then = ThenNone
	w := served(t, opts)
	ran := w.said(LogHookStarted)
	schema := func(n uint64) {
		w.edit("/schema", func(s *change.Snapshot) { s.Hooks[0].Watch = digest(n) })
		w.pass(3 * time.Second)
	}
	schema(2)
	schema(3)
	h, _ := w.inFlight("hook")
	w.answer(h, false)
	w.calm()
	if n := w.said(LogHookStarted) - ran; n != 2 {
		t.Fatalf("%d runs for two edits", n)
	}
}

func TestSecondInterruptDuringAStart(t *testing.T) {
	w := newWorld(t, Options{})
	for i := 0; ; i++ {
		s, ok := w.inFlight("start")
		if ok {
			w.step(Interrupt{})
			w.pass(onePress)
			w.step(Interrupt{})
			w.answer(s, false) // it was too late to cancel it
			break
		}
		w.answer(w.flight[0], false)
		w.pass(time.Second)
	}
	s, ok := w.inFlight("stop")
	if !ok || !w.canceled[idOf(s)] {
		t.Fatal("the app gets its grace after the second interrupt")
	}
	w.end()
}

// Shutdown ends although a process does not (uninterruptible sleep).
func TestAppThatDoesNotEnd(t *testing.T) {
	w := served(t, Options{})
	w.step(Interrupt{})
	s, _ := w.inFlight("stop")
	w.answer(s, true)
	a, ok := w.inFlight("await")
	if !ok || !w.canceled[idOf(a)] {
		t.Fatal("it is waited for")
	}
	w.answer(a, false)
	if w.said(LogInstanceExited) != 0 || w.said(LogStopTrouble) != 1 {
		t.Error("it is said to have ended")
	}
	w.end()
}

func TestFailedHookRunsAgainForTheFilesOfItsLastSuccess(t *testing.T) {
	w := served(t, hooks(1))
	ran := w.said(LogHookStarted)
	w.edit("/schema", func(s *change.Snapshot) { s.Hooks[0].Watch = digest(2) })
	w.pass(time.Second)
	h, _ := w.inFlight("hook")
	w.answer(h, true)
	w.calm()
	w.edit("/schema", func(s *change.Snapshot) { s.Hooks[0].Watch = digest(1) })
	w.calm()
	if n := w.said(LogHookStarted) - ran; n != 2 {
		t.Fatalf("%d runs: what the failed one has left stays", n)
	}
}

// lastSaveToReady is that of the newest generation.
func (w *world) lastSaveToReady() (d time.Duration) {
	for _, l := range w.logs {
		if l.What == LogInstanceReady {
			d = l.SaveToReady
		}
	}
	return d
}

func TestSaveAfterAFailedHookIsTimedByItself(t *testing.T) {
	w := served(t, hooks(1))
	w.edit("/schema", func(s *change.Snapshot) { s.Hooks[0].Watch = digest(2) })
	w.pass(time.Second)
	h, _ := w.inFlight("hook")
	w.answer(h, true)
	w.pass(time.Hour)
	w.editSource(2)
	w.buildFor(time.Second, 100*time.Millisecond)
	if d := w.lastSaveToReady(); d <= 0 || d > time.Second {
		t.Errorf("save to ready in %v", d)
	}
}

// A build may be the first to see a change: the event comes behind it.
func TestChangeThatABuildFinds(t *testing.T) {
	w := served(t, Options{})
	w.editSource(2)
	w.pass(5 * time.Millisecond)
	b, _ := w.inFlight("build")
	w.answer(b, false)
	w.calm()
	w.step(Restart{})
	w.pass(time.Minute)
	b, _ = w.inFlight("build")
	w.tree.Source, w.tree.Seq = digest(3), w.tree.Seq+1
	w.answer(b, false)
	w.buildFor(time.Second, 100*time.Millisecond)
	if w.st.inst.made.binary != digest(3) {
		t.Fatal("it is not served")
	}
	if d := w.lastSaveToReady(); d <= 0 || d > time.Second {
		t.Errorf("save to ready in %v", d)
	}
}

// Restarts without a build go on with an old binary.
func TestBuildKeepsTheBinariesInUse(t *testing.T) {
	w := served(t, Options{})
	for n := range uint64(3) {
		w.edit("/a.html", func(s *change.Snapshot) { s.Runtime = digest(10 + n) })
		w.calm()
	}
	w.editSource(2)
	w.pass(time.Second)
	b, _ := w.inFlight("build")
	if got := b.(Build); got.Gen != 5 || got.Keep != [2]int{1, 1} {
		t.Errorf("%+v", got)
	}
	w.calm()
	w.editSource(3)
	w.pass(time.Second)
	b, _ = w.inFlight("build")
	if got := b.(Build); got.Gen != 6 || got.Keep != [2]int{5, 5} {
		t.Errorf("%+v", got)
	}
	w.calm()
}

// landed takes the first effect of a kind out of flight; its answer is the test's.
func (w *world) landed(kind string) ID {
	e, _ := w.inFlight(kind)
	w.flight = slices.Delete(w.flight, w.find(idOf(e)), w.find(idOf(e))+1)
	return idOf(e)
}

// A build ends between the adoption of a file and the answer that tells of it.
// The file was written after the build had begun, so it may have read less.
func TestBuildThatOvertakesAListing(t *testing.T) {
	for name, tt := range map[string]struct {
		found  time.Duration // after the build's start
		twice  bool          // the listing looked again after the build's end
		builds int
	}{
		"written before":               {-time.Second, false, 1},
		"written since":                {time.Second, false, 2},
		"written before, listed twice": {-time.Second, true, 1},
		"written since, listed twice":  {time.Second, true, 2},
	} {
		t.Run(name, func(t *testing.T) {
			w := served(t, Options{})
			ran := w.said(LogBuildStarted)
			w.edit("/src/a.go", func(s *change.Snapshot) { s.Source, s.Shape = digest(2), digest(2); s.Seq++ })
			w.pass(5 * time.Millisecond)
			found := w.now.Add(tt.found)
			w.pass(2 * time.Second)
			w.tree.Source = digest(3) // the set of files is another one
			listed := w.snap()
			w.step(Built{ID: w.landed("build"), Snapshot: w.snap(), Binary: digest(3), Path: "bin", Took: time.Second})
			if tt.twice {
				listed = w.snap()
			}
			w.step(Listed{ID: w.landed("list"), Snapshot: listed, Adopted: found})
			w.calm()
			if n := w.said(LogBuildStarted) - ran; n != tt.builds {
				t.Errorf("%d builds, want %d", n, tt.builds)
			}
		})
	}
}

// A build that fails for want of a file may end after the file has come, with a
// snapshot that has it: what came may be older than the build (moved here), and
// the listing that found it may answer before the build does, or after.
func TestFailedBuildBesideALargerSet(t *testing.T) {
	for name, tt := range map[string]struct {
		found     time.Duration // after the build's start
		listFirst bool
		twice     bool // the listing looked again after the build's end
	}{
		"written since, the build first":   {time.Second, false, false},
		"moved here, the build first":      {-time.Hour, false, false},
		"moved here, the listing first":    {-time.Hour, true, false},
		"written since, the listing first": {time.Second, true, false},
		"written since, listed twice":      {time.Second, false, true},
		"moved here, listed twice":         {-time.Hour, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := served(t, Options{})
			w.edit("/src/a.go", func(s *change.Snapshot) { s.Source, s.Shape = digest(2), digest(2); s.Seq++ })
			w.pass(5 * time.Millisecond)
			found := w.now.Add(tt.found)
			w.pass(2 * time.Second)
			w.tree.Source = digest(3)
			listed := w.snap()
			built := Built{Err: errors.New("missing"), Took: time.Second}
			if tt.listFirst {
				w.step(Listed{ID: w.landed("list"), Snapshot: listed, Adopted: found})
				built.ID, built.Snapshot = w.landed("build"), w.snap()
				w.step(built)
			} else {
				built.ID, built.Snapshot = w.landed("build"), w.snap()
				w.step(built)
				if tt.twice {
					listed = w.snap()
				}
				w.step(Listed{ID: w.landed("list"), Snapshot: listed, Adopted: found})
			}
			w.calm()
			if w.st.inst.made.binary != digest(3) {
				t.Error("the larger set is not served")
			}
		})
	}
}
