package reload

import (
	"slices"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/classify"
)

// world plays everything around the decider: it holds the effects in flight,
// answers them when told, and checks after each step what must always hold.
type world struct {
	t         testing.TB
	now       time.Time
	st        State
	tree      change.Snapshot // what the watcher would say
	flight    []Effect        // in order of issue; Cancel, Log and Adopt left out
	canceled  map[ID]bool
	logs      []Log
	alive     map[int]bool // generations with processes
	starts    []Start
	exits     map[int]bool      // generations whose main process is gone
	broken    bool              // builds fail
	dying     bool              // the app exits before it is ready, and that is not told of yet
	lasting   bool              // no build is fast, as verifying shows
	settings  bool              // no build is fast, as the settings show
	differs   bool              // the go command makes another program than was served
	refused   string            // why no build is fast
	removed   bool              // what cannot be started was removed
	lists     int               // listings issued
	refreshed []Refresh         // what pages were told
	adopted   []ID              // answers whose things the loop was told to take over
	retired   int               // database sides that are replaced and not closed
	wrote     map[ID]bool       // listings during which files of the graph changed
	begun     map[ID]begun      // what the decider knew at each effect
	history   []change.Snapshot // by Version
	last      Snapshot          // after the step before
}

func newWorld(t testing.TB, opts Options) *world {
	w := &world{
		t: t, now: time.Unix(1e9, 0), canceled: map[ID]bool{}, alive: map[int]bool{},
		exits: map[int]bool{}, wrote: map[ID]bool{}, begun: map[ID]begun{},
	}
	w.tree = change.Snapshot{Version: 1, Seq: 1, Source: digest(1), Shape: digest(1), Runtime: digest(1), Config: digest(1)}
	w.history = make([]change.Snapshot, 2)
	w.history[1] = w.tree
	for range opts.Hooks {
		w.tree.Hooks = append(w.tree.Hooks, change.HookState{Watch: digest(1)})
	}
	var effects []Effect
	w.st, effects = Begin(New(opts), w.now)
	w.take(effects)
	return w
}

func digest(n uint64) (d change.Digest) {
	for i := range 8 {
		d[i] = byte(n >> (8 * i))
	}
	return d
}

// step feeds one event and checks the invariants.
func (w *world) step(ev Event) {
	var effects []Effect
	before := w.st.Snapshot()
	w.st, effects = Step(w.st, ev, w.now)
	w.take(effects)
	w.checkVerdict(before, ev)
}

func (w *world) take(effects []Effect) {
	for _, e := range effects {
		switch e := e.(type) {
		case Log:
			w.logs = append(w.logs, e)
		case Refresh:
			w.refreshed = append(w.refreshed, e)
			if w.st.restartDue() || len(w.alive) == 0 {
				w.t.Fatalf("pages reload while the app is replaced or gone: %+v", w.st.Snapshot())
			}
		case Adopt:
			w.adopted = append(w.adopted, e.Brings.(ID))
		case Cancel:
			if w.find(e.ID) < 0 {
				w.t.Fatalf("Cancel of %d, which is not in flight", e.ID)
			}
			w.canceled[e.ID] = true
		default:
			w.allowed(e)
			w.flight = append(w.flight, e)
			w.begun[idOf(e)] = begun{w.st.tree, w.st.asked}
		}
	}
	if !w.st.done() && len(w.flight) != w.st.inFlight {
		w.t.Fatalf("%d effects in flight, the state counts %d", len(w.flight), w.st.inFlight)
	}
	snap := w.st.Snapshot()
	w.checkHolds(snap)
	w.checkVersions(snap)
	w.checkRest(snap)
}

// allowed checks what may not go on at the same time.
func (w *world) allowed(e Effect) {
	w.t.Helper()
	busy := func(kinds ...string) {
		for _, f := range w.flight {
			if slices.Contains(kinds, kindOf(f)) {
				w.t.Fatalf("%s issued while %s is in flight", kindOf(e), kindOf(f))
			}
		}
	}
	switch e := e.(type) {
	case List:
		w.lists++
	case Build:
		busy("build", "hook", "verify")
	case Verify:
		busy("build", "hook", "verify", "start", "stop", "drain")
	case RunHook:
		busy("build", "hook", "verify", "start", "stop", "drain")
	case Check:
		busy("hook", "start", "stop", "drain")
	case Start:
		busy("hook", "start", "stop", "drain", "await")
		if len(w.alive) > 0 {
			w.t.Fatalf("generation %d started while %v lives", e.Gen, w.alive)
		}
		if n := len(w.starts); n > 0 && e.Gen <= w.starts[n-1].Gen {
			w.t.Fatalf("generation %d started after %d", e.Gen, w.starts[n-1].Gen)
		}
		w.starts = append(w.starts, e)
		w.alive[e.Gen] = true
	case Stop:
		busy("stop", "drain", "start")
	case ForwardQuit:
		if !w.alive[e.Gen] {
			w.t.Fatalf("SIGQUIT for generation %d, and %v lives", e.Gen, w.alive)
		}
	case StopJob:
		busy("job")
		if e.Gen != 0 && !w.alive[e.Gen] {
			w.t.Fatalf("generation %d is stopped with devguard, and %v lives", e.Gen, w.alive)
		}
	case CloseRetired:
		busy("start", "stop", "drain", "await")
		if w.retired == 0 {
			w.t.Fatal("there is nothing to close")
		}
		w.retired--
	}
}

func kindOf(e Effect) string {
	switch e.(type) {
	case List:
		return "list"
	case LoadConfig:
		return "config"
	case RunHook:
		return "hook"
	case Build:
		return "build"
	case Verify:
		return "verify"
	case Check:
		return "check"
	case Start:
		return "start"
	case Await:
		return "await"
	case AwaitReady:
		return "ready"
	case Stop:
		return "stop"
	case Drain:
		return "drain"
	case StopJob:
		return "job"
	case ForwardQuit, Prepare, CloseRetired:
		return "beside"
	}
	return "?"
}

func idOf(e Effect) ID {
	switch e := e.(type) {
	case List:
		return e.ID
	case LoadConfig:
		return e.ID
	case RunHook:
		return e.ID
	case Build:
		return e.ID
	case Verify:
		return e.ID
	case Check:
		return e.ID
	case Start:
		return e.ID
	case Await:
		return e.ID
	case AwaitReady:
		return e.ID
	case Stop:
		return e.ID
	case Drain:
		return e.ID
	case ForwardQuit:
		return e.ID
	case StopJob:
		return e.ID
	case Prepare:
		return e.ID
	case CloseRetired:
		return e.ID
	}
	return 0
}

func (w *world) find(id ID) int {
	return slices.IndexFunc(w.flight, func(e Effect) bool { return idOf(e) == id })
}

// inFlight returns the first effect of a kind.
func (w *world) inFlight(kind string) (Effect, bool) {
	i := slices.IndexFunc(w.flight, func(e Effect) bool { return kindOf(e) == kind })
	if i < 0 {
		return nil, false
	}
	return w.flight[i], true
}

// answer ends one effect; fail chooses the unhappy end.
func (w *world) answer(e Effect, fail bool) {
	w.t.Helper()
	id := idOf(e)
	w.flight = slices.Delete(w.flight, w.find(id), w.find(id)+1)
	var err error
	if fail {
		err = errTest
	}
	switch e := e.(type) {
	case List:
		w.step(Listed{ID: id, Snapshot: w.snap(), Stale: w.wrote[id], Brings: id, Err: err})
	case LoadConfig:
		retires := !fail && w.tree.Config[0]%2 == 0
		if retires {
			w.retired++
		}
		w.step(ConfigLoaded{ID: id, Options: w.st.opts, Same: w.tree.Config[0]%5 == 4, Retires: retires, Brings: id, Err: err})
	case RunHook:
		w.step(HookDone{ID: id, Snapshot: w.snap(), Took: time.Second, Err: err})
	case Build:
		w.answerBuild(e, err)
	case Verify:
		w.answerVerify(e, err)
	case Check:
		w.step(Checked{ID: id, Err: err, Missing: fail && w.missing(e.Binary)})
	case Start:
		if fail {
			delete(w.alive, e.Gen)
		}
		w.step(Started{ID: id, PID: 1000 + e.Gen, Err: err, Missing: fail && w.missing(e.Binary)})
	case Await:
		w.exits[e.Gen] = true
		w.step(Exited{ID: id, Code: map[bool]int{true: 1}[fail], Cancelled: w.canceled[id]})
	case AwaitReady:
		w.step(ReadyDone{ID: id, Rule: "http", Cancelled: w.canceled[id] || w.dying, Brings: id, Err: err})
	case Stop:
		delete(w.alive, e.Gen)
		w.step(Stopped{ID: id, Killed: fail, Err: err})
	case Drain:
		w.step(Drained{ID: id, Err: err})
	case ForwardQuit, StopJob, Prepare, CloseRetired:
		w.step(BesideDone{ID: id, Err: err})
	}
}

func (w *world) missing(binary string) bool { return w.removed && binary != "" }

func (w *world) answerBuild(e Build, err error) {
	if w.broken && err == nil {
		err = errTest
	}
	snap := w.snap()
	ev := Built{ID: e.ID, Snapshot: snap, Took: time.Second, Err: err, Cancelled: w.canceled[e.ID], Brings: e.ID}
	ev.Fast = e.Fast && w.refused == ""
	if e.Fast {
		ev.Refused = Refusal{Kind: w.refused, Text: w.refused}
	}
	if w.settings {
		ev.Fast, ev.Lasting = false, true
	}
	if err == nil && !ev.Cancelled {
		ev.Binary, ev.Path = snap.Source, "bin"
	}
	if ev.Fast && ev.Binary == e.Binary {
		ev.Path = "" // it is the one that there is: nothing is linked
	}
	w.step(ev)
}

func (w *world) answerVerify(e Verify, err error) {
	snap := w.snap()
	ev := Verified{ID: e.ID, Snapshot: snap, Lasting: w.lasting, Err: err, Cancelled: w.canceled[e.ID], Brings: e.ID}
	if err == nil && !ev.Cancelled {
		ev.Binary = snap.Source
	}
	if w.lasting && e.ByGo && err == nil {
		ev.Binary, ev.Unbuilt = change.Digest{}, true
	}
	if w.differs {
		ev.Binary, ev.Path, ev.Kept = digest(7), "real", "kept"
	}
	w.step(ev)
}

// snap is a fresh snapshot of the tree.
func (w *world) snap() change.Snapshot {
	w.tree.Version++
	s := w.tree
	s.Hooks = slices.Clone(s.Hooks)
	w.history = append(w.history, s)
	return s
}

// edit changes a part of the tree and tells the decider.
func (w *world) edit(name string, f func(*change.Snapshot)) {
	w.t.Helper()
	w.change(change.Path{Name: name, Op: change.Write}, f)
}

// write changes a file that only the running app reads.
func (w *world) write(name string, n uint64) {
	w.t.Helper()
	w.change(change.Path{Name: name, Op: change.Write, Class: classify.Class{Runtime: true}},
		func(s *change.Snapshot) { s.Runtime = digest(n) })
}

func (w *world) change(p change.Path, f func(*change.Snapshot)) {
	w.t.Helper()
	if l, ok := w.inFlight("list"); ok {
		w.wrote[idOf(l)] = true
	}
	f(&w.tree)
	w.step(Changed{change.Set{Snapshot: w.snap(), At: w.now, Paths: []change.Path{p}}})
}

func (w *world) editSource(n uint64) {
	w.t.Helper()
	w.edit("/src/a.go", func(s *change.Snapshot) { s.Source = digest(n); s.Seq++ })
}

// pass lets time go by, with the ticks that the state asks for.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	end := w.now.Add(d)
	for range 1000 {
		dl := w.st.Deadline()
		if dl.IsZero() || dl.After(end) {
			w.now = end
			return
		}
		if dl.After(w.now) {
			w.now = dl
		}
		w.step(Tick{})
	}
	w.t.Fatalf("a deadline that never ends: %v at %v", w.st.Deadline(), w.now)
}

// calm answers everything well until nothing but the app itself goes on.
func (w *world) calm() {
	w.t.Helper()
	for range 200 {
		w.pass(10 * time.Second)
		i := slices.IndexFunc(w.flight, func(e Effect) bool {
			a, isAwait := e.(Await)
			stopping, _ := w.inFlight("stop")
			return !isAwait || stopping != nil && stopping.(Stop).Gen == a.Gen
		})
		if i < 0 {
			return
		}
		w.answer(w.flight[i], false)
	}
	w.t.Fatalf("never comes to rest; in flight: %v", w.flight)
}

// end interrupts and answers everything.
func (w *world) end() {
	w.t.Helper()
	w.step(Interrupt{})
	for i := 0; !w.st.Snapshot().Done; i++ {
		if i > 100 || len(w.flight) == 0 {
			w.t.Fatalf("shutdown does not end; in flight: %v, %+v", w.flight, w.st.Snapshot())
		}
		w.answer(w.flight[0], false)
	}
	if w.retired > 0 {
		w.t.Fatalf("at the end %d retired database sides are open", w.retired)
	}
}

// said counts the log lines of one kind.
func (w *world) said(what What) int {
	n := 0
	for _, l := range w.logs {
		if l.What == what {
			n++
		}
	}
	return n
}

type testError struct{}

func (testError) Error() string { return "test error" }

var errTest = testError{}
