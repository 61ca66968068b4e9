package reload

import (
	"slices"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/change"
)

// checkHolds compares the holds with what is due and with what is in flight: what is
// due and not in flight has one hold, nothing else has one, and what a hold waits for
// is really going on.
func (w *world) checkHolds(snap Snapshot) {
	holds, due := snap.Holds, w.due(snap.Phase)
	for i, h := range holds {
		if !slices.Contains(due, h.What) {
			w.t.Fatalf("%s has a hold and is not due: %+v; in flight: %v", h.What, snap, w.flight)
		}
		if h.What != "shutdown" && slices.ContainsFunc(holds[:i], func(o Hold) bool { return o.What == h.What }) {
			w.t.Fatalf("%s has two holds: %+v", h.What, snap)
		}
		w.goesOn(h)
	}
	for _, what := range due {
		if !slices.ContainsFunc(holds, func(h Hold) bool { return h.What == what }) {
			w.t.Fatalf("%s is due and has no hold: %+v; in flight: %v", what, snap, w.flight)
		}
	}
}

// awaits are the effects of which one has to be in flight for a hold.
var awaits = map[Kind][]string{
	ForConfig:    {"config"},
	ForListing:   {"list"},
	ForHook:      {"hook"},
	ForBuild:     {"build"},
	ForCancelled: {"build", "verify"},
	ForRestart:   {"check", "start"},
	ForCheck:     {"check"},
	ForStart:     {"start"},
	ForStop:      {"stop", "await"},
	ForDrain:     {"drain"},
}

// goesOn checks that what a hold waits for is in flight, has a deadline, or needs the
// user.
func (w *world) goesOn(h Hold) {
	kinds := awaits[h.Kind]
	going := func(e Effect) bool { return slices.Contains(kinds, kindOf(e)) }
	switch {
	case h.Reason == "":
		w.t.Fatalf("no reason: %+v", h)
	case h.Kind == AfterChange:
		w.t.Fatalf("%s is due and was forgotten: %+v", h.What, w.st.Snapshot())
	case kinds != nil && !slices.ContainsFunc(w.flight, going):
		w.t.Fatalf("%+v, and no %v is in flight", h, kinds)
	case h.Kind == ForAnswers && len(w.flight) == 0:
		w.t.Fatalf("%+v, and nothing is in flight", h)
	case (h.Kind == ForBurst || h.Kind == ForBackOff || h.Kind == ForPause) && w.st.Deadline().IsZero():
		w.t.Fatalf("%+v, and there is no deadline", h)
	case h.Kind == ForGit && !w.st.tree.GitBusy:
		w.t.Fatalf("%+v, and git is not busy", h)
	}
}

// due is what is due and not in flight.
func (w *world) due(phase string) (due []string) {
	st := w.st
	is := func(what string, yes bool) {
		if yes {
			due = append(due, what)
		}
	}
	if !st.isOpen() {
		is("shutdown", !st.done())
		return due
	}
	is("configuration", w.configIsDue())
	is("listing", st.graph.listing == 0 && (st.graph.unusable() || st.tree.Shape != st.graph.shape))
	for i, h := range st.opts.Hooks {
		is("hook "+h.Name, w.hookIsDue(i))
	}
	is("build", !st.opts.Command && w.buildIsDue())
	switch phase {
	case "running", "starting":
		is("restart", w.restartIsDue())
	default:
		is("start", true)
	}
	return due
}

// configIsDue: devguard.toml is not what was read last, or is being read.
func (w *world) configIsDue() bool {
	if e, ok := w.inFlight("config"); ok {
		return w.begun[idOf(e)].tree.Config != w.st.tree.Config
	}
	c := w.st.config
	return w.st.graph.known() && (w.st.tree.Config != c.digest || c.err != nil && w.st.tree.Shape != c.shape)
}

// hookIsDue: it has not succeeded with the files there are, nor does it run with them.
func (w *world) hookIsDue(i int) bool {
	h, tree := w.st.hooks[i], w.st.hookTree(i)
	if e, ok := w.inFlight("hook"); ok && e.(RunHook).Hook == i && e.(RunHook).Watch == tree.Watch {
		return false
	}
	if f, ok := h.state.(failed); ok && f.at == tree.Watch {
		return true
	}
	return h.state.ok() != tree.Watch || tree.Missing && !h.incomplete
}

// buildIsDue: no build was made of what there is, nor is one being made of it.
func (w *world) buildIsDue() bool {
	st := w.st
	if e, ok := w.inFlight("build"); ok {
		began := w.begun[idOf(e)]
		return w.canceled[idOf(e)] || began.tree.Seq != st.tree.Seq || st.asked > began.asked || w.outdated()
	}
	switch b := st.built.(type) {
	case goodBuild:
		return b.source != st.tree.Source || st.asked > st.met
	case badBuild:
		return b.source != st.tree.Source || st.asked > st.met || b.headers != st.tree.Headers
	}
	return true
}

// outdated: the build in flight is known to have missed something.
func (w *world) outdated() bool {
	b, ok := w.st.round.(building)
	return ok && !b.stale.IsZero()
}

// restartIsDue: what runs was started with something else than there is, or what there
// is cannot be built, or the user has asked.
func (w *world) restartIsDue() bool {
	st := w.st
	if _, bad := st.built.(badBuild); bad {
		return true
	}
	now := made{st.binary.digest, st.tree.Runtime, st.tree.Env}
	startable := st.opts.Command || st.binary.path != ""
	return st.restartDue() || startable && (st.owed != noCause || st.inst.made != now)
}

// begun is what the decider knew when it issued an effect.
type begun struct {
	tree  change.Snapshot
	asked int
}

func (w *world) holdOf(what string) Hold {
	holds := w.st.Snapshot().Holds
	i := slices.IndexFunc(holds, func(h Hold) bool { return h.What == what })
	if i < 0 {
		return Hold{}
	}
	return holds[i]
}

// Each row is a wait: what leads to it, what is due, and what that waits for.
func TestHolds(t *testing.T) {
	migrate := Options{RestartOnCrash: true, Hooks: []Hook{{Name: "gen"}, {Name: "migrate", Migrates: true}}}
	schema := func(w *world) {
		w.edit("/schema", func(s *change.Snapshot) { s.Hooks[0].Watch = digest(2) })
	}
	settled := func(w *world) { w.pass(time.Second) }
	answer := func(kind string, fail bool) func(*world) {
		return func(w *world) {
			e, ok := w.inFlight(kind)
			if !ok {
				w.t.Fatalf("no %s in flight", kind)
			}
			w.answer(e, fail)
			w.pass(5 * time.Millisecond)
		}
	}
	save := func(w *world) { w.editSource(2) }
	env := func(n uint64) func(*world) { return func(w *world) { w.editEnv(n) } }
	for name, tt := range map[string]struct {
		do   []func(*world)
		what string
		kind Kind
	}{
		"a save":                    {[]func(*world){save}, "build", ForBurst},
		"a save while a hook runs":  {[]func(*world){schema, settled, save, settled}, "build", ForHook},
		"a cancelled build":         {[]func(*world){save, settled, func(w *world) { w.editSource(3) }, settled}, "build", ForCancelled},
		"a hook while a build runs": {[]func(*world){save, settled, schema, settled}, "hook gen", ForCancelled},
		"a hook before a start":     {[]func(*world){env(2), schema, settled}, "hook gen", ForRestart},
		"a hook in a stop":          {[]func(*world){env(2), answer("check", false), schema, settled}, "hook gen", ForStop},
		"a hook that failed":        {[]func(*world){schema, settled, answer("hook", true)}, "hook gen", AfterHookFailed},
		"a build after it":          {[]func(*world){schema, save, settled, answer("hook", true)}, "build", AfterHookFailed},
		"a migration in a rebase": {[]func(*world){func(w *world) {
			w.edit("/m", func(s *change.Snapshot) { s.GitBusy, s.Hooks[1].Watch = true, digest(2) })
		}, settled}, "hook migrate", ForGit},
		"a restart while a hook runs": {[]func(*world){schema, settled, env(2)}, "restart", ForHook},
		"a restart in a check":        {[]func(*world){env(2)}, "restart", ForCheck},
		"a start in a stop":           {[]func(*world){env(2), answer("check", false)}, "start", ForStop},
		"a start in a drain":          {[]func(*world){env(2), answer("check", false), answer("await", false), answer("stop", false)}, "start", ForDrain},
		"a restart in a start":        {[]func(*world){env(2), answer("check", false), answer("await", false), answer("stop", false), answer("drain", false), env(3)}, "restart", ForStart},
		"a refused restart":           {[]func(*world){env(2), answer("check", true)}, "restart", AfterStartRefused},
		"a failed start":              {[]func(*world){env(2), answer("check", false), answer("await", false), answer("stop", false), answer("drain", false), answer("start", true), answer("drain", false)}, "start", AfterStartFailed},
		"a failed build":              {[]func(*world){save, settled, answer("build", true)}, "restart", AfterBuildFailed},
		"a crash":                     {[]func(*world){func(w *world) { w.lived(0) }, answer("await", true), answer("stop", false), answer("drain", false)}, "start", ForBackOff},
		"an exit":                     {[]func(*world){answer("await", false), answer("stop", false), answer("drain", false)}, "start", AfterExit},
		"a new configuration":         {[]func(*world){save, settled, func(w *world) { w.edit("/devguard.toml", func(s *change.Snapshot) { s.Config = digest(2) }) }, settled}, "configuration", ForBuild},
		"the end":                     {[]func(*world){func(w *world) { w.step(Interrupt{}) }}, "shutdown", ForStop},
		"the end of a hook":           {[]func(*world){schema, settled, func(w *world) { w.step(Interrupt{}) }}, "shutdown", ForHook},
	} {
		t.Run(name, func(t *testing.T) {
			w := served(t, migrate)
			for _, do := range tt.do {
				do(w)
			}
			if h := w.holdOf(tt.what); h.Kind != tt.kind {
				t.Errorf("%s waits for %q, want %q; %+v", tt.what, h.Kind, tt.kind, w.st.Snapshot())
			}
			w.end()
		})
	}
}

// A wait is told when it begins, and once.
func TestHoldsAreTold(t *testing.T) {
	w := served(t, hooks(1))
	told := func(what string, kind Kind) (n int) {
		for _, l := range w.logs {
			if l.What == LogWaiting && l.Hold.What == what && l.Hold.Kind == kind {
				n++
			}
		}
		return n
	}
	w.edit("/schema", func(s *change.Snapshot) { s.Hooks[0].Watch = digest(2) })
	w.pass(time.Second)
	w.editEnv(2)
	w.editEnv(3)
	if n := told("restart", ForHook); n != 1 {
		t.Errorf("that the restart waits for the hook is told %d times", n)
	}
	w.calm()
	if len(w.st.Snapshot().Holds) > 0 || len(w.starts) != 2 {
		t.Errorf("%d starts, %+v", len(w.starts), w.st.Snapshot())
	}
}
