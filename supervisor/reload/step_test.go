package reload

import (
	"slices"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/classify"
)

// served returns a world whose first generation is up and quiet.
func served(t testing.TB, opts Options) *world {
	t.Helper()
	w := newWorld(t, opts)
	w.calm()
	if len(w.starts) != 1 || w.st.Snapshot().Phase != "running" {
		t.Fatalf("after the start: %d starts, %+v", len(w.starts), w.st.Snapshot())
	}
	return w
}

func hooks(n int) Options {
	o := Options{RestartOnCrash: true}
	for i := range n {
		o.Hooks = append(o.Hooks, Hook{Name: string(rune('a' + i))})
	}
	return o
}

func TestEditIsBuiltAndServed(t *testing.T) {
	w := served(t, Options{})
	w.editSource(2)
	w.pass(5 * time.Millisecond)
	if _, ok := w.inFlight("build"); !ok {
		t.Fatal("no build 5 ms after the save")
	}
	if _, ok := w.inFlight("stop"); ok {
		t.Fatal("stopped before the build was good")
	}
	w.calm()
	if len(w.starts) != 2 || w.starts[1].Gen != 2 {
		t.Fatalf("starts: %+v", w.starts)
	}
	w.end()
}

func TestSameContentsAskForNothing(t *testing.T) {
	w := served(t, Options{})
	w.edit("/src/a.go", func(s *change.Snapshot) { s.Seq++ }) // touch
	w.calm()
	w.editSource(2)
	w.editSource(1) // and back, before the burst was over
	w.calm()
	if n := w.said(LogBuildStarted); n != 1 || len(w.starts) != 1 {
		t.Fatalf("%d builds, %d starts", n, len(w.starts))
	}
}

func TestBurstIsToldOnce(t *testing.T) {
	w := served(t, Options{})
	for i := range 3 {
		for _, name := range []string{"/src/b.go", "/src/a.go"} {
			w.edit(name, func(s *change.Snapshot) { s.Source = digest(uint64(i + 2)); s.Seq++ })
		}
		w.pass(2 * time.Millisecond)
	}
	if n := w.said(LogChanged); n != 0 {
		t.Errorf("told %d times before the burst was over", n)
	}
	w.calm()
	if n := w.said(LogChanged); n != 1 {
		t.Errorf("told %d times, want 1", n)
	}
}

// A broken package clause in a test file fails the build, and its repair changes
// no source.
func TestFailedBuildIsRepeatedWhenAHeaderIsRepaired(t *testing.T) {
	header := func(n uint64) func(s *change.Snapshot) {
		return func(s *change.Snapshot) { s.Shape = digest(n); s.Headers++ }
	}
	for _, during := range []bool{false, true} {
		w := served(t, Options{})
		w.edit("/src/a_test.go", header(2))
		w.calm()
		if n := w.said(LogBuildStarted); n != 1 {
			t.Fatalf("a test file is built: %d builds", n)
		}
		w.broken = true
		w.editSource(2)
		w.pass(5 * time.Millisecond)
		if b, _ := w.inFlight("build"); during {
			w.edit("/src/a_test.go", header(3))
			w.answer(b, true)
		} else {
			w.answer(b, true)
			w.edit("/src/a_test.go", header(3))
		}
		w.broken = false
		w.calm()
		if n := w.said(LogBuildStarted); n != 3 || len(w.starts) != 2 {
			t.Errorf("repaired during the build %v: %d builds, %d starts", during, n, len(w.starts))
		}
		w.end()
	}
}

func TestSameProgramSkipsTheRestart(t *testing.T) {
	w := served(t, Options{})
	w.editSource(2)
	w.pass(time.Second)
	b, _ := w.inFlight("build")
	w.flight = w.flight[:len(w.flight)-1]
	w.step(Built{ID: idOf(b), Snapshot: w.snap(), Binary: digest(1), Path: "bin"})
	w.calm()
	if len(w.starts) != 1 || w.said(LogRestartSkipped) != 1 {
		t.Fatalf("%d starts, %d skipped", len(w.starts), w.said(LogRestartSkipped))
	}
}

func TestBrokenBuildKeepsTheInstance(t *testing.T) {
	w := served(t, Options{})
	w.broken = true
	w.editSource(2)
	w.edit("/src/a.html", func(s *change.Snapshot) { s.Runtime = digest(2) })
	w.calm()
	if len(w.starts) != 1 || w.said(LogBuildFailed) != 1 {
		t.Fatalf("%d starts, %d failed builds", len(w.starts), w.said(LogBuildFailed))
	}
	w.broken = false
	w.editSource(3)
	w.calm()
	if len(w.starts) != 2 {
		t.Fatalf("%d starts after the repair", len(w.starts))
	}
}

func TestNewerChangeCancelsUntilTheWindowEnds(t *testing.T) {
	w := served(t, Options{})
	w.lastBuildTook(3 * time.Second)
	starts := len(w.starts)
	for n := uint64(10); w.now.Before(time.Unix(1e9+120, 0)); n++ {
		w.editSource(n)
		w.buildFor(200*time.Millisecond, 3*time.Second)
	}
	if got := len(w.starts) - starts; got < 10 {
		t.Fatalf("under edits for ever only %d generations in two minutes", got)
	}
	w.calm()
	if w.st.inst.made.binary != w.tree.Source {
		t.Fatal("the last state is not served")
	}
}

// lastBuildTook makes one build of that length.
func (w *world) lastBuildTook(d time.Duration) { w.st.buildTook = d }

// buildBegan is when the build in flight was started.
func (s State) buildBegan() time.Time {
	b, _ := s.inBuild()
	return b.started
}

// buildFor lets time go by; builds end after took, cancellations at once, and
// everything else without delay.
func (w *world) buildFor(d, took time.Duration) {
	w.t.Helper()
	for end := w.now.Add(d); w.now.Before(end); {
		w.pass(10 * time.Millisecond)
		for i := 0; i < len(w.flight); i++ {
			switch e := w.flight[i].(type) {
			case Build:
				if !w.canceled[e.ID] && w.now.Sub(w.st.buildBegan()) < took {
					continue
				}
			case Await:
				if w.alive[e.Gen] {
					continue
				}
			}
			w.answer(w.flight[i], false)
			i = -1
		}
	}
}

func TestCrashBacksOffAndASaveResetsIt(t *testing.T) {
	w := served(t, Options{RestartOnCrash: true})
	w.lived(0)
	var gaps []time.Duration
	for range 6 {
		a, _ := w.inFlight("await")
		w.answer(a, true)
		for w.st.Snapshot().Phase != "crashed" {
			w.answer(w.flight[len(w.flight)-1], false)
		}
		gaps = append(gaps, w.st.Deadline().Sub(w.now))
		w.pass(gaps[len(gaps)-1])
		s, ok := w.inFlight("start")
		if !ok {
			t.Fatal("not started again")
		}
		w.answer(s, false)
	}
	if gaps[0] != firstRetry || gaps[1] != 2*firstRetry || gaps[5] != maxRetry {
		t.Fatalf("gaps %v", gaps)
	}
	w.editSource(2)
	if w.st.inst.crashes != 0 {
		t.Fatal("a save did not reset the back-off")
	}
}

// lived has the generation that runs be of that age.
func (w *world) lived(d time.Duration) {
	r := w.st.inst.phase.(running)
	r.since = w.now.Add(-d)
	w.st.inst.phase = r
}

// crash ends the generation that runs badly, and goes on until the next one is started or waited for.
func (w *world) crash() {
	w.t.Helper()
	a, _ := w.inFlight("await")
	w.answer(a, true)
	for {
		if _, starts := w.inFlight("start"); starts || w.st.Snapshot().Phase == "crashed" {
			return
		}
		w.answer(w.flight[len(w.flight)-1], false)
	}
}

// TestCrashAfterALongLife: an app that has served for a while is started again at once, and a crash
// soon after that is the first of a row.
func TestCrashAfterALongLife(t *testing.T) {
	w := served(t, Options{RestartOnCrash: true})
	w.st.inst.crashes = 3
	w.lived(steady)
	w.crash()
	s, ok := w.inFlight("start")
	if !ok || w.said(LogCrashWaiting) > 0 {
		t.Fatalf("not started at once: waits %v", w.st.Deadline().Sub(w.now))
	}
	w.answer(s, false)
	w.lived(steady - time.Millisecond)
	w.crash()
	if gap := w.st.Deadline().Sub(w.now); gap != firstRetry || w.said(LogCrashWaiting) != 1 {
		t.Fatalf("the next crash waits %v", gap)
	}
}

// TestMade: what is tried again after a crash is the same, and any change makes it another.
func TestMade(t *testing.T) {
	w := served(t, Options{RestartOnCrash: true, Command: true})
	next := func() change.Digest {
		t.Helper()
		e, ok := w.inFlight("start")
		if !ok {
			t.Fatal("not started")
		}
		w.answer(e, false)
		return e.(Start).Made
	}
	again := func() change.Digest {
		w.crash()
		w.pass(maxRetry)
		return next()
	}
	first := again()
	if second := again(); second != first {
		t.Errorf("tried again it is %v, and was %v", second, first)
	}
	seen := []change.Digest{first}
	for what, edit := range map[string]func(){
		"a file that it reads": func() { w.write("/page", 7) },
		"an env file":          func() { w.edit("/.env", func(s *change.Snapshot) { s.Env = digest(7) }) },
	} {
		w.crash()
		edit()
		w.pass(maxRetry)
		made := next()
		if slices.Contains(seen, made) {
			t.Errorf("with a change of %s it is the same", what)
		}
		seen = append(seen, made)
	}
}

func TestCleanExitWaitsForAChange(t *testing.T) {
	w := served(t, Options{RestartOnCrash: true})
	a, _ := w.inFlight("await")
	w.answer(a, false)
	w.calm()
	w.edit("", func(s *change.Snapshot) { s.GitBusy = true })
	w.calm()
	if len(w.starts) != 1 {
		t.Fatal("started again although nothing changed")
	}
	w.edit("/src/a.html", func(s *change.Snapshot) { s.Runtime = digest(2) })
	w.calm()
	if len(w.starts) != 2 {
		t.Fatal("a change did not start it")
	}
}

func TestHookThenOneBuild(t *testing.T) {
	w := served(t, hooks(2))
	runs, builds := w.said(LogHookStarted), w.said(LogBuildStarted)
	w.edit("/schema", func(s *change.Snapshot) { s.Hooks[0].Watch = digest(2) })
	w.pass(time.Second)
	h, ok := w.inFlight("hook")
	if !ok {
		t.Fatal("no hook")
	}
	w.editSource(2) // its output
	w.answer(h, false)
	w.calm()
	if r, b := w.said(LogHookStarted)-runs, w.said(LogBuildStarted)-builds; r != 1 || b != 1 || len(w.starts) != 2 {
		t.Fatalf("%d hook runs, %d builds, %d starts", r, b, len(w.starts))
	}
}

func TestFailedHookEndsItsRound(t *testing.T) {
	w := served(t, hooks(1))
	w.edit("/schema", func(s *change.Snapshot) { s.Hooks[0].Watch = digest(2); s.Source = digest(2); s.Seq++ })
	w.pass(time.Second)
	h, _ := w.inFlight("hook")
	w.answer(h, true)
	w.calm()
	if len(w.starts) != 1 || w.said(LogBuildStarted) != 1 {
		t.Fatal("built or restarted in the round of a failed hook")
	}
	w.editSource(3) // elsewhere
	w.calm()
	if len(w.starts) != 2 || w.said(LogHookStarted) != 2 {
		t.Fatalf("%d starts, %d hook runs", len(w.starts), w.said(LogHookStarted))
	}
	w.step(Restart{})
	w.calm()
	if w.said(LogHookFinished) != 2 {
		t.Fatal("key r did not run the failed hook")
	}
}

// TestNothingFollowsAFailedHook: what changes no contents, a `git status` that takes git's lock or the
// end of a listing, begins a round without bringing what the failure has kept back.
func TestNothingFollowsAFailedHook(t *testing.T) {
	edits := map[string]func(*change.Snapshot){ // by what they ask for
		"restart": func(s *change.Snapshot) { s.Runtime = digest(2) },
		"build":   func(s *change.Snapshot) { s.Source = digest(2); s.Seq++ },
	}
	busy := func(yes bool) func(*world) {
		return func(w *world) { w.edit("", func(s *change.Snapshot) { s.GitBusy, s.GitLock = yes, yes }) }
	}
	git := func(w *world) { busy(true)(w); w.calm(); busy(false)(w) }
	for asked, edit := range edits {
		for during, fail := range map[string]func(*world, Effect){
			"after it":       func(w *world, h Effect) { w.answer(h, true); w.calm(); git(w) },
			"while it fails": func(w *world, h Effect) { busy(true)(w); w.answer(h, true); w.calm(); busy(false)(w) },
		} {
			t.Run(asked+"/"+during, func(t *testing.T) {
				w := served(t, hooks(2))
				w.edit("/schema", func(s *change.Snapshot) { s.Hooks[0].Watch = digest(2); edit(s) })
				w.pass(time.Second)
				h, _ := w.inFlight("hook")
				fail(w, h)
				w.calm()
				if len(w.starts) != 1 || w.said(LogBuildStarted) != 1 {
					t.Fatalf("%d starts, %d builds: git has brought what the hook refused", len(w.starts), w.said(LogBuildStarted))
				}
				for _, what := range []string{"hook a", asked} {
					if h := w.holdOf(what); h.Kind != AfterHookFailed {
						t.Fatalf("why %s waits: %+v", what, h)
					}
				}
				w.edit("/schema", func(s *change.Snapshot) { s.Hooks[0].Watch = digest(3) })
				w.calm()
				if len(w.starts) != 2 {
					t.Fatal("the mended file is not served")
				}
			})
		}
	}
}

// refusedByHook has a hook refuse a template.
func refusedByHook(t *testing.T, w *world) *world {
	t.Helper()
	w.edit("/schema", func(s *change.Snapshot) { s.Hooks[0].Watch = digest(2); s.Runtime = digest(2) })
	w.pass(time.Second)
	h, ok := w.inFlight("hook")
	if !ok {
		t.Fatal("no hook")
	}
	w.answer(h, true)
	w.calm()
	return w
}

// TestAppIsReplacedAfterAFailedHook: what runs must go, or its program is gone; a tree that is broken
// does not stand in the way.
func TestAppIsReplacedAfterAFailedHook(t *testing.T) {
	t.Run("its database", func(t *testing.T) {
		w := refusedByHook(t, served(t, hooks(1)))
		w.step(Replace{})
		w.calm()
		if len(w.starts) != 2 {
			t.Fatalf("%d starts", len(w.starts))
		}
	})
	t.Run("its program is removed", func(t *testing.T) {
		opts := hooks(1)
		opts.RestartOnCrash = true
		w := refusedByHook(t, served(t, opts))
		w.lived(steady)
		w.removed = true
		w.crash()
		start, ok := w.inFlight("start")
		if !ok {
			t.Fatalf("no start: %v", w.flight)
		}
		w.answer(start, true)
		w.calm()
		if w.st.Snapshot().Phase != "running" || w.said(LogBuildStarted) != 2 {
			t.Fatalf("%d starts, %d builds", len(w.starts), w.said(LogBuildStarted))
		}
	})
}

// TestAppsOwnFileMendsNoHook: what an app writes at each start is no edit.
func TestAppsOwnFileMendsNoHook(t *testing.T) {
	w := looping(t, hooks(1), "/dump.sql")
	w.edit("/schema", func(s *change.Snapshot) { s.Hooks[0].Watch = digest(2) })
	w.edit("/a.html", func(s *change.Snapshot) { s.Runtime = digest(2) })
	w.pass(time.Second)
	h, ok := w.inFlight("hook")
	if !ok {
		t.Fatal("no hook")
	}
	w.answer(h, true)
	w.write("/dump.sql", 7)
	for _, busy := range []bool{true, false} {
		w.edit("", func(s *change.Snapshot) { s.GitBusy = busy })
		w.pass(time.Second)
	}
	if _, checks := w.inFlight("check"); checks || w.holdOf("restart").Kind != AfterHookFailed {
		t.Fatalf("what the hook refused is started: %+v, in flight %v", w.holdOf("restart"), w.flight)
	}
}

// The second of two hooks that fail has its turn in the round of the next edit:
// that edit is elsewhere, and is built.
func TestHookThatIsLateDoesNotEndTheRound(t *testing.T) {
	w := served(t, hooks(2))
	w.edit("/schema", func(s *change.Snapshot) { s.Hooks[0].Watch, s.Hooks[1].Watch = digest(2), digest(2) })
	w.pass(time.Second)
	h, _ := w.inFlight("hook")
	w.answer(h, true)
	w.calm()
	w.editSource(2)
	w.pass(time.Second)
	h, _ = w.inFlight("hook")
	w.answer(h, true)
	w.calm()
	if len(w.starts) != 2 {
		t.Fatalf("%d starts: the edit was lost", len(w.starts))
	}
}

func TestFailedHookAtStartDoesNotKeepTheAppFromStarting(t *testing.T) {
	w := newWorld(t, hooks(2))
	w.answer(w.flight[0], false)
	h, _ := w.inFlight("hook")
	w.answer(h, true)
	w.calm()
	if len(w.starts) != 1 || w.said(LogHookStarted) != 2 {
		t.Fatalf("%d starts, %d hook runs", len(w.starts), w.said(LogHookStarted))
	}
}

func TestHookThatFeedsItselfIsSuspended(t *testing.T) {
	w := served(t, hooks(1))
	self := []change.Path{{Name: "/schema", Class: classify.Class{Hooks: []int{0}}}}
	w.tree.Hooks[0].Watch = digest(2)
	w.step(Changed{change.Set{Snapshot: w.snap(), At: w.now, Paths: self}})
	for n := uint64(3); n < 20; n++ {
		w.pass(time.Second / 2)
		if h, ok := w.inFlight("hook"); ok {
			w.tree.Hooks[0].Watch = digest(n) // it writes its own input
			w.step(Changed{change.Set{Snapshot: w.snap(), At: w.now, Paths: self}})
			w.answer(h, false)
		}
		w.calmHooks()
	}
	if runs := w.said(LogHookFinished) - 1; runs != maxRuns {
		t.Fatalf("it ran %d times", runs)
	}
	if w.said(LogHookSuspended) != 1 {
		t.Fatalf("suspended %d times", w.said(LogHookSuspended))
	}
	w.tree.Source, w.tree.Seq = digest(50), w.tree.Seq+1
	w.step(Changed{change.Set{Snapshot: w.snap(), At: w.now, Paths: []change.Path{{Name: "/a.go"}}}})
	w.calm()
	if _, still := w.st.hooks[0].state.(suspended); still {
		t.Fatal("an edit elsewhere did not resume it")
	}
}

// Saves of a hook's file in quick succession are the user's, also when some are seen while the hook runs.
func TestSavesWhileAHookRunsAreNoLoop(t *testing.T) {
	w := served(t, hooks(1))
	before := w.said(LogHookFinished)
	save := func(n uint64) {
		w.tree.Hooks[0].Watch = digest(n)
		w.step(Changed{change.Set{Snapshot: w.snap(), At: w.now, Paths: []change.Path{{Name: "/schema", Class: classify.Class{Hooks: []int{0}}}}}})
		w.pass(time.Second / 2)
	}
	runs := func() {
		h, ok := w.inFlight("hook")
		if !ok {
			t.Fatal("no hook runs")
		}
		w.answer(h, false)
		w.calmHooks()
		w.pass(time.Second / 2)
	}
	for n := uint64(2); n < 20; n += 2 {
		save(n)
		save(n + 1) // while the hook runs
		runs()
		runs()
	}
	if n := w.said(LogHookFinished) - before; n != 2*9 || w.said(LogHookSuspended) != 0 {
		t.Fatalf("it ran %d times, and was suspended %d times", n, w.said(LogHookSuspended))
	}
}

// calmHooks answers everything but hooks.
func (w *world) calmHooks() {
	for i := 0; i < len(w.flight); i++ {
		switch e := w.flight[i].(type) {
		case RunHook:
			continue
		case Await:
			if w.alive[e.Gen] {
				continue
			}
		}
		w.answer(w.flight[i], false)
		i = -1
	}
}

// TestHookThenReload: pages are told of it, and nothing is built or restarted; not when the same save brings a
// restart, after which they reload anyway, nor when it failed.
func TestHookThenReload(t *testing.T) {
	w := served(t, Options{Hooks: []Hook{{Name: "css", Then: ThenReload}}})
	built, started := w.said(LogBuildStarted), len(w.starts)
	w.refreshed = nil
	w.edit("/a.css", func(s *change.Snapshot) { s.Hooks[0].Watch = digest(2) })
	w.calm()
	if len(w.refreshed) != 1 || w.said(LogBuildStarted) != built || len(w.starts) != started {
		t.Errorf("told %v, %d builds, %d starts", w.refreshed, w.said(LogBuildStarted)-built, len(w.starts)-started)
	}
	w.edit("/a.css", func(s *change.Snapshot) { s.Hooks[0].Watch, s.Source, s.Seq = digest(3), digest(3), s.Seq+1 })
	w.calm()
	if len(w.refreshed) != 1 || len(w.starts) != started+1 {
		t.Errorf("with a change of the program: told %v, %d starts", w.refreshed, len(w.starts)-started)
	}
}

// TestAssets: pages take a stylesheet anew, and reload for anything else; once for both, and not when a restart
// comes of the same save.
func TestAssets(t *testing.T) {
	for name, c := range map[string]struct {
		edit   func(*change.Snapshot)
		want   []Refresh
		starts int
	}{
		"a stylesheet": {func(s *change.Snapshot) { s.Styles = digest(2) }, []Refresh{{Styles: true}}, 0},
		"a script":     {func(s *change.Snapshot) { s.Scripts = digest(2) }, []Refresh{{}}, 0},
		"both":         {func(s *change.Snapshot) { s.Styles, s.Scripts = digest(2), digest(2) }, []Refresh{{}}, 0},
		"a template":   {func(s *change.Snapshot) { s.Runtime, s.Styles = digest(2), digest(2) }, nil, 1},
		"the program":  {func(s *change.Snapshot) { s.Source, s.Seq, s.Scripts = digest(2), s.Seq+1, digest(2) }, nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := served(t, Options{})
			built, started := w.said(LogBuildStarted), len(w.starts)
			w.edit("/static/a", c.edit)
			w.calm()
			if !slices.Equal(w.refreshed, c.want) || len(w.starts)-started != c.starts || c.starts == 0 && w.said(LogBuildStarted) != built {
				t.Errorf("told %v, %d builds, %d starts", w.refreshed, w.said(LogBuildStarted)-built, len(w.starts)-started)
			}
		})
	}
}

func TestMigrationOwesARestart(t *testing.T) {
	opts := Options{Hooks: []Hook{{Name: "migrate", Migrates: true, Then: ThenNone}}}
	w := served(t, opts)
	w.broken = true
	w.edit("/m.sql", func(s *change.Snapshot) { s.Hooks[0].Watch = digest(2) })
	w.calm()
	if len(w.starts) != 1 {
		t.Fatal("restarted although the build is broken")
	}
	w.broken = false
	w.step(Restart{})
	w.calm()
	if len(w.starts) != 2 {
		t.Fatal("the owed restart did not come")
	}
}

func TestMigratingHookIsHeldDuringARebase(t *testing.T) {
	w := served(t, Options{Hooks: []Hook{{Name: "migrate", Migrates: true}, {Name: "gen"}}})
	ran := w.said(LogHookStarted)
	w.edit("/m.sql", func(s *change.Snapshot) {
		s.GitBusy = true
		s.Hooks[0].Watch, s.Hooks[1].Watch, s.Source = digest(2), digest(2), digest(2)
		s.Seq++
	})
	w.calm()
	if w.said(LogHookStarted)-ran != 1 || w.said(LogHookHeld) != 1 || len(w.starts) != 2 {
		t.Fatalf("%d runs, %d held, %d starts", w.said(LogHookStarted)-ran, w.said(LogHookHeld), len(w.starts))
	}
	w.edit("", func(s *change.Snapshot) { s.GitBusy = false })
	w.calm()
	if w.said(LogHookStarted)-ran != 2 {
		t.Fatal("not run when git was done")
	}
}

// A rebase that is aborted takes the migration back; that the next one holds it is said
// again.
func TestEachHoldOfAMigrationIsSaid(t *testing.T) {
	w := served(t, Options{Hooks: []Hook{{Name: "migrate", Migrates: true}}})
	for n := range 2 {
		w.edit("/m.sql", func(s *change.Snapshot) { s.GitBusy, s.Hooks[0].Watch = true, digest(2) })
		w.calm()
		w.edit("/m.sql", func(s *change.Snapshot) { s.GitBusy, s.Hooks[0].Watch = false, digest(1) })
		w.calm()
		if w.said(LogHookHeld) != n+1 || len(w.st.Snapshot().Holds) > 0 {
			t.Fatalf("after %d rebases said %d times, %+v", n+1, w.said(LogHookHeld), w.st.Snapshot())
		}
	}
}

func TestShapeIsListedBesideTheBuild(t *testing.T) {
	w := served(t, Options{})
	w.edit("/src/a.go", func(s *change.Snapshot) { s.Source, s.Shape = digest(2), digest(2); s.Seq++ })
	w.pass(5 * time.Millisecond)
	l, listing := w.inFlight("list")
	if _, building := w.inFlight("build"); !listing || !building {
		t.Fatal("list and build do not go on side by side")
	}
	w.tree.Source = digest(3) // the set of files is another one
	w.answer(l, false)
	b, _ := w.inFlight("build")
	w.answer(b, false)
	w.calm()
	if n := w.said(LogBuildStarted); n != 2 {
		t.Fatalf("%d builds; the larger set was taken for an edit", n)
	}
}

func TestConfigIsReadAgain(t *testing.T) {
	w := served(t, Options{})
	w.edit("/devguard.toml", func(s *change.Snapshot) { s.Config = digest(2) })
	w.calm()
	if len(w.starts) != 2 || w.said(LogConfigApplied) != 1 {
		t.Fatalf("%d starts", len(w.starts))
	}
	w.edit("/devguard.toml", func(s *change.Snapshot) { s.Config = digest(3) })
	w.pass(time.Second)
	c, _ := w.inFlight("config")
	w.answer(c, true)
	w.calm()
	if len(w.starts) != 2 || w.said(LogConfigInvalid) != 1 {
		t.Fatal("a broken configuration restarted the app")
	}
}

// A change of keys that are read at the start of devguard alone restarts nothing that runs, and who
// waits for the change is told that it is served.
func TestConfigOfTheStartAlone(t *testing.T) {
	w := served(t, Options{})
	w.edit("/devguard.toml", func(s *change.Snapshot) { s.Config = digest(9) })
	w.calm()
	if got := w.st.Snapshot(); len(w.starts) != 1 || w.said(LogConfigApplied) != 1 || got.GenVersion != got.Version {
		t.Fatalf("%d starts, %+v", len(w.starts), got)
	}
}

// What devguard.toml asks for may not be there yet when it is read, in the middle of a checkout.
func TestInvalidConfigIsReadAgainOnceThePackagesChange(t *testing.T) {
	for _, during := range []bool{false, true} {
		w := served(t, Options{})
		read := func() Effect {
			t.Helper()
			w.pass(time.Second)
			c, ok := w.inFlight("config")
			if !ok {
				t.Fatal("it is not read")
			}
			return c
		}
		shape := func(n uint64) { w.edit("/src/main.go", func(s *change.Snapshot) { s.Shape = digest(n) }) }
		w.edit("/devguard.toml", func(s *change.Snapshot) { s.Config = digest(2) })
		c := read()
		if during {
			shape(2)
			w.answer(c, true)
		} else {
			w.answer(c, true)
			w.calm()
			shape(2)
		}
		w.answer(read(), true)
		w.calm()
		if n := w.said(LogConfigInvalid); n != 1 {
			t.Errorf("one fault is said %d times", n)
		}
		shape(3)
		w.answer(read(), false)
		w.calm()
		if w.said(LogConfigApplied) != 1 || len(w.st.Snapshot().Failures) > 0 {
			t.Errorf("it is not applied: %+v", w.st.Snapshot())
		}
		w.end()
	}
}

func TestSecondInterruptKillsNow(t *testing.T) {
	w := served(t, Options{})
	w.step(Interrupt{})
	s, ok := w.inFlight("stop")
	if !ok {
		t.Fatal("the first one does not stop the app")
	}
	w.pass(onePress)
	w.step(Interrupt{})
	if !w.canceled[idOf(s)] {
		t.Fatal("the second one does not cut the grace short")
	}
	w.end()
}

func TestStateIsAValue(t *testing.T) {
	w := served(t, hooks(2))
	before := w.st
	hook := before.hooks[0]
	w.edit("/schema", func(s *change.Snapshot) { s.Hooks[0].Watch = digest(2) })
	w.calm()
	if before.hooks[0].state != hook.state || before.round.open() {
		t.Fatal("Step changed the state that it was given")
	}
}

// A broken tree breaks both the listing and the build: one error is enough.
func TestListingErrorIsSaidOnce(t *testing.T) {
	for _, tt := range []struct {
		name      string
		broken    bool
		listFirst bool
		said      int
	}{
		{"the build fails later", true, true, 0},
		{"the build failed before", true, false, 0},
		{"the build is good", false, true, 1},
		{"the build was good", false, false, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := served(t, Options{})
			w.broken = tt.broken
			w.edit("/src/a.go", func(s *change.Snapshot) { s.Source, s.Shape = digest(2), digest(2); s.Seq++ })
			w.pass(5 * time.Millisecond)
			l, _ := w.inFlight("list")
			b, _ := w.inFlight("build")
			if tt.listFirst {
				w.answer(l, true)
				w.answer(b, tt.broken)
			} else {
				w.answer(b, tt.broken)
				w.answer(l, true)
			}
			w.calm()
			if n := w.said(LogListFailed); n != tt.said {
				t.Errorf("said %d times, want %d", n, tt.said)
			}
		})
	}
}

func TestListingErrorIsForgottenByTheRepair(t *testing.T) {
	w := served(t, Options{})
	save := func(n uint64) {
		w.edit("/src/a.go", func(s *change.Snapshot) { s.Source, s.Shape = digest(n), digest(n); s.Seq++ })
		w.pass(5 * time.Millisecond)
	}
	save(2)
	b, _ := w.inFlight("build")
	w.answer(b, true)
	l, _ := w.inFlight("list")
	save(3)
	w.answer(l, true)
	w.calm()
	if n := w.said(LogListFailed); n != 0 {
		t.Errorf("said %d times", n)
	}
}

// What is edited while the go command reads may be missing in its answer.
func TestStaleListingIsRepeated(t *testing.T) {
	w := served(t, Options{})
	save := func(n uint64) {
		w.edit("/src/a.go", func(s *change.Snapshot) { s.Source, s.Shape = digest(n), digest(n); s.Seq++ })
		w.pass(5 * time.Millisecond)
	}
	save(2)
	l, _ := w.inFlight("list")
	save(3)
	w.answer(l, false)
	w.calm()
	if w.lists != 3 { // at the start, and for each save
		t.Errorf("%d listings", w.lists)
	}
}

// Ctrl-C in an app that has the terminal reaches the app alone.
func TestInterruptOfTheAppEndsDevguard(t *testing.T) {
	w := served(t, Options{RestartOnCrash: true})
	a, _ := w.inFlight("await")
	w.flight = w.flight[:len(w.flight)-1]
	w.step(Exited{ID: idOf(a), Code: -1, Signal: "SIGINT", Interrupt: true})
	for i := 0; !w.st.Snapshot().Done && i < 10; i++ {
		w.answer(w.flight[0], false)
	}
	if !w.st.Snapshot().Done || len(w.starts) != 1 || w.st.Snapshot().Err != nil {
		t.Errorf("%d starts, %+v", len(w.starts), w.st.Snapshot())
	}
}

// A Go file that nobody knew of broke the build and is gone when that ends; or it came and went
// before it was looked at.
func TestFailedBuildIsRepeatedWhenAnotherGoFileCameAndWent(t *testing.T) {
	for name, tt := range map[string]struct {
		event func(*change.Snapshot)
		fails bool
		more  int // builds
	}{
		"of no package":       {func(s *change.Snapshot) { s.Unlisted++ }, true, 1},
		"of a package":        {func(s *change.Snapshot) { s.Headers++ }, true, 1},
		"none":                {func(*change.Snapshot) {}, true, 0},
		"beside a good build": {func(s *change.Snapshot) { s.Unlisted++; s.Headers++ }, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := served(t, Options{})
			w.editSource(2)
			w.pass(5 * time.Millisecond)
			b, _ := w.inFlight("build")
			tt.event(&w.tree) // no event tells of it
			w.answer(b, tt.fails)
			w.calm()
			if n := w.said(LogBuildStarted) - 2; n != tt.more {
				t.Errorf("%d more builds, want %d", n, tt.more)
			}
			w.end()
		})
	}
}

// A directory that is moved here keeps the times of its files: a build that
// failed for want of it began after them all the same.
func TestAFailedBuildIsRepeatedWhenTheGraphGrows(t *testing.T) {
	w := served(t, Options{})
	w.broken = true
	w.edit("/src/a.go", func(s *change.Snapshot) { s.Source, s.Shape = digest(2), digest(2); s.Seq++ })
	w.pass(5 * time.Millisecond)
	b, _ := w.inFlight("build")
	w.answer(b, false)
	w.broken = false
	w.tree.Source = digest(3)
	l, _ := w.inFlight("list")
	w.answer(l, false)
	w.calm()
	if len(w.starts) != 2 {
		t.Fatalf("%d starts: what came after the build was taken for what it read", len(w.starts))
	}
}
