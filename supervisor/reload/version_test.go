package reload

import (
	"slices"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/change"
)

// checkVersions checks that versions only grow, and that none is of a tree that was
// not seen yet.
func (w *world) checkVersions(snap Snapshot) {
	last := w.last
	w.last = snap
	if snap.Version < last.Version || snap.GenVersion < last.GenVersion || snap.Building != 0 && snap.Building < last.Building {
		w.t.Fatalf("a version went back: %+v, before %+v", snap, last)
	}
	if v := max(snap.Building, snap.GenVersion); v > snap.Version || snap.Version > w.tree.Version {
		w.t.Fatalf("a version of the future, at %d: %+v", w.tree.Version, snap)
	}
	e, builds := w.inFlight("build")
	if builds && snap.Building != w.begun[idOf(e)].tree.Version || !builds && snap.Building != 0 {
		w.t.Fatalf("the build began with %d: %+v", w.begun[idOf(e)].tree.Version, snap)
	}
	for _, f := range snap.Failures {
		if f.Version > snap.Version || f.Err == nil {
			w.t.Fatalf("%+v: %+v", f, snap)
		}
	}
}

// checkClaims checks that what the newest generation is made of was there at the version
// that it stands for, or later.
func (w *world) checkClaims() {
	switch snap, made := w.st.Snapshot(), w.st.inst.made; {
	case snap.Phase != "running" && snap.Phase != "starting":
	case w.st.opts.Command != (made.binary == change.Digest{}):
		w.t.Fatalf("a command with a binary, or none without one: %+v", snap)
	case !w.st.opts.Command && !w.wasSince(snap.GenVersion, func(s change.Snapshot) bool { return s.Source == made.binary }),
		!w.wasSince(snap.GenVersion, func(s change.Snapshot) bool { return s.Runtime == made.runtime }),
		!w.wasSince(snap.GenVersion, func(s change.Snapshot) bool { return s.Env == made.env }):
		w.t.Fatalf("what runs is older than %d: %+v, %+v", snap.GenVersion, made, snap)
	}
}

func (w *world) wasSince(version uint64, is func(change.Snapshot) bool) bool {
	return slices.ContainsFunc(w.history[version:], is)
}

// failure returns the only one there is.
func (w *world) failure() Failure {
	w.t.Helper()
	all := w.st.Snapshot().Failures
	if len(all) != 1 {
		w.t.Fatalf("failures: %+v", all)
	}
	return all[0]
}

func TestVersionOfAGeneration(t *testing.T) {
	w := served(t, Options{})
	w.editSource(2)
	save := w.st.Snapshot().Version
	w.pass(time.Second)
	if snap := w.st.Snapshot(); snap.Building != save || snap.GenVersion >= save {
		t.Fatalf("while the build of %d runs: %+v", save, snap)
	}
	w.calm()
	if snap := w.st.Snapshot(); snap.Gen != 2 || snap.GenVersion < save || !snap.Ready {
		t.Fatalf("%d is not served: %+v", save, snap)
	}
	w.edit("/src/a.go", func(s *change.Snapshot) { s.Seq++ }) // nothing to do
	w.step(Restart{})                                         // but for this
	w.calm()
	if snap := w.st.Snapshot(); snap.Gen != 3 || snap.GenVersion != snap.Version {
		t.Errorf("%+v", snap)
	}
}

// A save that leads to the same program is served by what runs.
func TestVersionOfTheSameProgram(t *testing.T) {
	w := served(t, Options{})
	w.editSource(2)
	w.pass(time.Second)
	w.step(Built{ID: w.landed("build"), Snapshot: w.snap(), Binary: digest(1), Path: "bin"})
	w.calm()
	if snap := w.st.Snapshot(); snap.Gen != 1 || snap.GenVersion != snap.Version {
		t.Errorf("%+v", snap)
	}
}

// What a build misses that may finish all the same is not claimed.
func TestVersionOfAnOutdatedBuild(t *testing.T) {
	w := served(t, Options{})
	w.editSource(2)
	w.pass(time.Second)
	began := w.st.Snapshot().Building
	w.pass(time.Minute)
	w.editSource(3)
	missed := w.st.Snapshot().Version
	for _, kind := range []string{"build", "check", "await", "stop", "drain", "start"} {
		e, _ := w.inFlight(kind)
		w.answer(e, false)
	}
	if snap := w.st.Snapshot(); snap.Gen != 2 || snap.GenVersion < began || snap.GenVersion >= missed {
		t.Errorf("began with %d, missed %d: %+v", began, missed, snap)
	}
}

// A new file is of the tree before it is of the graph: only the listing tells whether
// there is something to build.
func TestVersionWaitsForTheListing(t *testing.T) {
	w := served(t, Options{})
	w.edit("/src/new.go", func(s *change.Snapshot) { s.Shape = digest(2) })
	save := w.st.Snapshot().Version
	w.edit("/a.html", func(s *change.Snapshot) { s.Runtime = digest(2) })
	w.pass(time.Second)
	for _, kind := range []string{"check", "await", "stop", "drain", "start"} {
		e, _ := w.inFlight(kind)
		w.answer(e, false)
	}
	if snap := w.st.Snapshot(); snap.Gen != 2 || snap.GenVersion >= save {
		t.Fatalf("%d is not built: %+v", save, snap)
	}
	w.tree.Source = digest(2)
	w.step(Listed{ID: w.landed("list"), Snapshot: w.snap(), Adopted: w.now})
	w.calm()
	if snap := w.st.Snapshot(); snap.Gen != 3 || snap.GenVersion != snap.Version {
		t.Errorf("%+v", snap)
	}
}

// A failure names the tree that it was tried with, and goes when it is repaired.
func TestFailures(t *testing.T) {
	for name, tt := range map[string]struct {
		edit   func(*change.Snapshot)
		effect string
		what   string
	}{
		"a build":         {func(s *change.Snapshot) { s.Source = digest(2); s.Seq++ }, "build", "build"},
		"a hook":          {func(s *change.Snapshot) { s.Hooks[0].Watch = digest(2) }, "hook", "hook a"},
		"a configuration": {func(s *change.Snapshot) { s.Config = digest(2) }, "config", "configuration"},
		"a refused start": {func(s *change.Snapshot) { s.Env = digest(2) }, "check", "start"},
	} {
		t.Run(name, func(t *testing.T) {
			w := served(t, hooks(1))
			w.edit("/f", tt.edit)
			save := w.st.Snapshot().Version
			w.pass(time.Second)
			e, _ := w.inFlight(tt.effect)
			w.answer(e, true)
			w.calm()
			if f := w.failure(); f.What != tt.what || f.Version != save || f.Err != errTest {
				t.Errorf("%+v, want %s of %d", f, tt.what, save)
			}
			w.edit("/f", func(s *change.Snapshot) {
				s.Source, s.Hooks[0].Watch, s.Config, s.Env = digest(4), digest(4), digest(5), digest(4)
				s.Seq++
			})
			w.calm()
			if all := w.st.Snapshot().Failures; len(all) > 0 {
				t.Errorf("after the repair: %+v", all)
			}
		})
	}
}

// A start that fails leaves nothing that serves, and its error.
func TestFailedStart(t *testing.T) {
	w := served(t, Options{})
	w.editEnv(2)
	for _, kind := range []string{"check", "await", "stop", "drain"} {
		e, _ := w.inFlight(kind)
		w.answer(e, false)
	}
	s, _ := w.inFlight("start")
	w.answer(s, true)
	w.calm()
	snap, f := w.st.Snapshot(), w.failure()
	if snap.Phase != "failed" || f.What != "start" || f.Version != snap.GenVersion || f.Err != errTest {
		t.Errorf("%+v, %+v", snap, f)
	}
}
