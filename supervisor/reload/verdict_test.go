package reload

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/change"
)

// served5 is a state at rest in which version 5 is served.
var served5 = Snapshot{Version: 5, Gen: 2, GenVersion: 5, Phase: "running", Ready: true, Rest: AtRest, Doing: "idle"}

func TestVerdict(t *testing.T) {
	bad := func(what string, version uint64) []Failure {
		return []Failure{{What: what, Version: version, Err: errors.New("oops")}}
	}
	hook := func(state string) []HookStatus { return []HookStatus{{"gen", "ok"}, {"schema", state}} }
	for name, c := range map[string]struct {
		change func(*Snapshot)
		want   Outcome
	}{
		"served":                              {func(*Snapshot) {}, Served},
		"served, a newer save is built":       {func(s *Snapshot) { s.Version, s.Rest, s.Doing = 6, AtWork, "building" }, Served},
		"served, a newer build has failed":    {func(s *Snapshot) { s.Version, s.Failures = 6, bad("build", 6) }, Served},
		"not taken up yet":                    {func(s *Snapshot) { s.Version, s.GenVersion = 4, 4 }, Pending},
		"not taken up, and failed before":     {func(s *Snapshot) { s.Version, s.GenVersion, s.Failures = 4, 3, bad("build", 4) }, Pending},
		"being built":                         {func(s *Snapshot) { s.GenVersion, s.Rest = 4, AtWork }, Pending},
		"being built, failed before":          {func(s *Snapshot) { s.GenVersion, s.Rest, s.Failures = 4, AtWork, bad("build", 4) }, Pending},
		"being listed, failed at it":          {func(s *Snapshot) { s.GenVersion, s.Rest, s.Failures = 4, AtWork, bad("build", 5) }, Pending},
		"about to be replaced":                {func(s *Snapshot) { s.GenVersion, s.Rest = 4, Handover }, Pending},
		"being started":                       {func(s *Snapshot) { s.Phase, s.Ready, s.Rest = "starting", false, Handover }, Pending},
		"not ready yet":                       {func(s *Snapshot) { s.Ready, s.Rest = false, Handover }, Pending},
		"not ready in time":                   {func(s *Snapshot) { s.Ready, s.Failures = false, bad("ready", 5) }, Failed},
		"its build failed":                    {func(s *Snapshot) { s.GenVersion, s.Failures = 4, bad("build", 5) }, Failed},
		"a build failed, nothing is new":      {func(s *Snapshot) { s.GenVersion, s.Failures = 3, bad("build", 4) }, Failed},
		"its build failed during a start":     {func(s *Snapshot) { s.GenVersion, s.Rest, s.Failures = 4, Handover, bad("build", 5) }, Failed},
		"its start failed":                    {func(s *Snapshot) { s.Phase, s.Ready, s.Failures = "failed", false, bad("start", 5) }, Failed},
		"its start is refused":                {func(s *Snapshot) { s.GenVersion, s.Failures = 4, bad("start", 5) }, Failed},
		"its hook failed":                     {func(s *Snapshot) { s.GenVersion, s.Hooks, s.Failures = 4, hook("failed"), bad("hook schema", 5) }, Failed},
		"a hook failed, the rest is served":   {func(s *Snapshot) { s.Hooks, s.Failures = hook("failed"), bad("hook schema", 4) }, Failed},
		"a hook failed, and another build is": {func(s *Snapshot) { s.Hooks, s.Rest = hook("failed"), AtWork }, Pending},
		"its hook is suspended":               {func(s *Snapshot) { s.Hooks = hook("suspended") }, Failed},
		"its hook is held":                    {func(s *Snapshot) { s.Hooks = hook("held") }, Failed},
		"its hook runs":                       {func(s *Snapshot) { s.GenVersion, s.Hooks, s.Rest = 4, hook("running"), AtWork }, Pending},
		"devguard.toml is not valid":          {func(s *Snapshot) { s.Failures = bad("configuration", 4) }, Failed},
		"devguard.toml is read again":         {func(s *Snapshot) { s.Failures, s.Rest = bad("configuration", 4), AtWork }, Pending},
		"crashed":                             {func(s *Snapshot) { s.Phase, s.Ready = "crashed", false }, Failed},
		"crashed, a newer save is built":      {func(s *Snapshot) { s.Phase, s.Ready, s.Rest = "crashed", false, AtWork }, Pending},
		"crashed, then an ignored save":       {func(s *Snapshot) { s.Phase, s.Ready, s.GenVersion = "crashed", false, 4 }, Failed},
		"started again after a crash":         {func(s *Snapshot) { s.Ready, s.Rest = false, Handover }, Pending},
		"it has ended by itself":              {func(s *Snapshot) { s.Phase, s.Ready = "exited", false }, Failed},
		"the packages cannot be listed":       {func(s *Snapshot) { s.GenVersion = 4 }, Failed},
		"what it writes itself is suspended":  {func(s *Snapshot) { s.GenVersion, s.Holds = 4, []Hold{{"restart", ForPause, ""}} }, Failed},
		"a command was started":               {func(s *Snapshot) { s.Command, s.Ready, s.Rest = true, false, Handover }, Served},
		"a command is being started":          {func(s *Snapshot) { s.Command, s.Ready, s.Phase, s.Rest = true, false, "starting", Handover }, Pending},
		"a command has ended well": {func(s *Snapshot) {
			s.Command, s.Ready, s.Phase, s.Holds = true, false, "exited", []Hold{{"start", AfterExit, ""}}
		}, Served},
		"a command has failed":       {func(s *Snapshot) { s.Command, s.Ready, s.Phase = true, false, "crashed" }, Failed},
		"a command of an older tree": {func(s *Snapshot) { s.Command, s.Ready, s.GenVersion, s.Rest = true, false, 4, AtWork }, Pending},
		"devguard ends":              {func(s *Snapshot) { s.Holds = []Hold{{"shutdown", ForStop, ""}} }, Ending},
		"devguard has ended":         {func(s *Snapshot) { s.Done = true }, Ending},
	} {
		t.Run(name, func(t *testing.T) {
			s := served5
			c.change(&s)
			if got := s.Verdict(5); got != c.want {
				t.Errorf("%s, want %s: %+v", got, c.want, s)
			}
			if s.Verdict(5) == Failed && (len(s.Blame()) == 0 || slices.Contains(s.Blame(), "")) {
				t.Errorf("why: %q", s.Blame())
			}
		})
	}
}

// What failed is named once, whether its error begins with the name or not.
func TestBlameNamesOnce(t *testing.T) {
	s := Snapshot{Failures: []Failure{
		{What: "hook gen", Err: errors.New("hook gen failed with exit code 1")},
		{What: "build", Err: errors.New("main.go:1:2: oops")},
	}}
	if got, want := s.Blame(), []string{"hook gen failed with exit code 1", "build: main.go:1:2: oops"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// A crash is named whether its next start is due already or not.
func TestBlameOfACrash(t *testing.T) {
	for _, holds := range [][]Hold{nil, {{"start", ForBackOff, "back-off after a crash"}}} {
		s := Snapshot{Phase: "crashed", Holds: holds}
		if got := s.Blame(); len(got) != 1 || !strings.HasPrefix(got[0], "start: the app crashed") {
			t.Errorf("with %v: %q", holds, got)
		}
	}
}

// An app that crashes at its start is no longer awaited to be ready before its exit is told of:
// until then nothing is known of the save.
func TestVerdictBeforeTheExitIsToldOf(t *testing.T) {
	w := served(t, Options{RestartOnCrash: true})
	w.edit("/f", func(s *change.Snapshot) { s.Source = digest(2); s.Seq++ })
	save := w.st.Snapshot().Version
	w.pass(time.Second)
	for _, kind := range []string{"build", "check", "stop", "await", "drain", "start"} {
		if e, ok := w.inFlight(kind); ok {
			w.answer(e, false)
		}
	}
	w.dying = true
	e, ok := w.inFlight("ready")
	if !ok {
		t.Fatalf("readiness is not awaited: %+v", w.st.Snapshot())
	}
	w.answer(e, false)
	if snap := w.st.Snapshot(); snap.Verdict(save) != Pending || snap.Rest != Handover {
		t.Errorf("%s before the exit: %+v", snap.Verdict(save), snap)
	}
	w.dying = false
	for _, kind := range []string{"await", "stop", "drain"} {
		e, ok := w.inFlight(kind)
		if !ok {
			t.Fatalf("no %s: %+v", kind, w.st.Snapshot())
		}
		w.answer(e, kind == "await")
	}
	snap := w.st.Snapshot()
	if why := snap.Blame(); snap.Verdict(save) != Failed || !strings.HasPrefix(why[0], "start: the app crashed") {
		t.Errorf("%s: %q", snap.Verdict(save), why)
	}
}

// The verdict about each save is known once all is calm, and is what the tree deserves.
func TestVerdictOfSaves(t *testing.T) {
	for name, tt := range map[string]struct {
		edit   func(*change.Snapshot)
		effect string // that fails; none does
		want   Outcome
	}{
		"source":          {func(s *change.Snapshot) { s.Source = digest(2); s.Seq++ }, "", Served},
		"the same bytes":  {func(s *change.Snapshot) { s.Seq++ }, "", Served},
		"nothing of ours": {func(*change.Snapshot) {}, "", Served},
		"a template":      {func(s *change.Snapshot) { s.Runtime = digest(2) }, "", Served},
		"a new file":      {func(s *change.Snapshot) { s.Shape = digest(2) }, "", Served},
		"a hook":          {func(s *change.Snapshot) { s.Hooks[0].Watch = digest(2) }, "", Served},
		"a broken build":  {func(s *change.Snapshot) { s.Source = digest(2); s.Seq++ }, "build", Failed},
		"a broken hook":   {func(s *change.Snapshot) { s.Hooks[0].Watch = digest(2) }, "hook", Failed},
		"a broken config": {func(s *change.Snapshot) { s.Config = digest(2) }, "config", Failed},
		"a refused start": {func(s *change.Snapshot) { s.Env = digest(2) }, "check", Failed},
	} {
		t.Run(name, func(t *testing.T) {
			w := served(t, hooks(1))
			w.edit("/f", tt.edit)
			save := w.st.Snapshot().Version
			if got := w.st.Snapshot().Verdict(save); got == Failed {
				t.Errorf("at once it is %s", got)
			}
			w.pass(time.Second)
			if tt.effect != "" {
				e, _ := w.inFlight(tt.effect)
				w.answer(e, true)
			}
			w.calm()
			if got := w.st.Snapshot().Verdict(save); got != tt.want {
				t.Errorf("%s, want %s: %+v", got, tt.want, w.st.Snapshot())
			}
		})
	}
}

// checkRest checks that nothing goes on at rest but the app, and what changes nothing.
func (w *world) checkRest(snap Snapshot) {
	for _, e := range w.flight {
		switch e.(type) {
		case Await, ForwardQuit, StopJob, Prepare, CloseRetired, Verify: // that finds what is served to be right
			continue
		}
		if snap.Rest == AtRest && !w.canceled[idOf(e)] {
			w.t.Fatalf("at rest, and %s is in flight: %+v", kindOf(e), snap)
		}
	}
}

// checkVerdict checks that what has failed is not served before somebody has done something; but for
// a crash, which counts although the app is started again.
func (w *world) checkVerdict(before Snapshot, ev Event) {
	switch ev.(type) {
	case Changed, Restart, Replace, Interrupt, Tick:
		return
	}
	now := w.st.Snapshot()
	if before.Phase != "crashed" && before.Verdict(before.Version) == Failed && now.Verdict(before.Version) == Served {
		w.t.Fatalf("it is served after all, by %#v: %+v, before %+v", ev, now, before)
	}
}
