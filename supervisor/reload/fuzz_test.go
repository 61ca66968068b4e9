package reload

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/change"
)

// FuzzStep plays any sequence of edits, wishes, answers and waiting against the
// decider. world checks after each step that there are never two builds, two
// hooks or two instances, and that nothing overlaps that must not; here, that
// every sequence comes to rest with the last state served, and ends when the
// user wishes.
func FuzzStep(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})
	f.Add([]byte("an edit\x00\x20\x40, a hook\x03\x23, a crash\x28\x48"))
	f.Add([]byte{0, 7, 0, 7, 0, 7, 0x27, 0x47, 3, 7, 7, 9, 9, 9})
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) > 300 {
			return
		}
		playScript(t, fuzzOptions(script), script)
	})
}

func fuzzOptions(script []byte) Options {
	return Options{Fast: len(script)%3 > 0, RestartOnCrash: len(script)%5 > 0, Command: len(script)%7 == 6, Hooks: []Hook{
		{Name: "gen"}, {Name: "migrate", Migrates: true, Then: ThenNone}, {Name: "css", Then: [...]Then{ThenRestart, ThenReload, ThenRestyle}[len(script)/2%3]},
	}}
}

// playScript plays a script, and lets it come to rest and to an end.
func playScript(t *testing.T, opts Options, script []byte) {
	w := newWorld(t, opts)
	ended := false
	for i, b := range script {
		ended = w.play(b, uint64(i)+100) || ended
		w.checkClaims()
		if w.st.Snapshot().Done {
			return
		}
	}
	if !ended {
		w.comesToRest()
	}
	w.end()
}

// TestLongSequences plays random scripts: a wait that no short sequence leads to needs
// a few dozen steps.
func TestLongSequences(t *testing.T) {
	for n := range uint64(300) {
		r := rand.New(rand.NewPCG(n, 0))
		script := make([]byte, r.IntN(300))
		for i := range script {
			script[i] = byte(r.Uint32())
		}
		t.Run(strconv.FormatUint(n, 10), func(t *testing.T) { playScript(t, fuzzOptions(script), script) })
	}
}

// play does what one byte of the script says; true once the user has ended it.
func (w *world) play(b byte, n uint64) bool {
	arg := int(b >> 4)
	switch b & 15 {
	case 0, 1:
		w.editSource(n)
	case 2:
		w.editSource(1) // back to the first state
	case 3:
		w.edit("/schema", func(s *change.Snapshot) { s.Hooks[arg%3].Watch = digest(n) })
	case 4:
		if arg&1 == 0 {
			w.write("/a.html", n)
		} else {
			w.edit("/.env", func(s *change.Snapshot) { s.Runtime, s.Env = digest(n), digest(n) })
		}
	case 5:
		w.edit("/go.mod", func(s *change.Snapshot) { s.Shape, s.Source = digest(n), digest(n); s.Seq++ })
	case 6:
		w.edit("/f", func(s *change.Snapshot) {
			s.GitBusy, s.Seq = !s.GitBusy, s.Seq+1
			s.Config = digest(n * uint64(arg&1))
			s.Hooks[arg%3].Missing = arg&2 != 0
		})
	case 7, 8, 9, 10:
		w.answerNth(arg, false)
	case 11:
		w.answerNth(arg, true)
	case 12, 13:
		w.pass(time.Duration(arg*arg) * 20 * time.Millisecond)
	case 14:
		switch arg {
		case 1:
			w.step(Replace{})
		case 2:
			w.step(Quit{})
		case 3:
			w.step(Suspend{})
		default:
			w.step(Restart{})
		}
	case 15:
		if arg == 15 {
			w.step(Interrupt{})
			return true
		}
		w.broken, w.removed = arg&1 == 1, arg&2 == 2
	}
	return false
}

// answerNth ends the n-th effect in flight. A process ends before the Stop that
// waits for it does.
func (w *world) answerNth(n int, fail bool) {
	if len(w.flight) == 0 {
		return
	}
	e := w.flight[n%len(w.flight)]
	if s, ok := e.(Stop); ok {
		if a, ok := w.inFlight("await"); ok && a.(Await).Gen == s.Gen {
			e = a
		}
	}
	w.answer(e, fail)
}

// comesToRest answers everything well and looks at what is served.
func (w *world) comesToRest() {
	w.t.Helper()
	w.broken = false
	w.edit("/last.go", func(s *change.Snapshot) {
		s.GitBusy = false
		s.Source, s.Runtime, s.Seq = digest(1e6), digest(1e6), s.Seq+1
	})
	w.calm()
	switch made := w.st.inst.made; {
	case w.st.Snapshot().Phase != "running":
		w.t.Fatalf("at rest nothing runs: %+v", w.st.Snapshot())
	case !w.st.opts.Command && made.binary != w.tree.Source, made.runtime != w.tree.Runtime, made.env != w.tree.Env:
		w.t.Fatalf("at rest the last state is not served: %+v", w.st.Snapshot())
	case w.st.graph.shape != w.tree.Shape, w.st.config.digest != w.tree.Config:
		w.t.Fatalf("at rest the graph or the configuration is old: %+v", w.st.Snapshot())
	case w.retired > 0:
		w.t.Fatalf("at rest %d retired database sides are open", w.retired)
	}
	for i := range w.st.hooks {
		if w.st.hookWanted(i) {
			w.t.Fatalf("at rest hook %d is due", i)
		}
	}
	if snap := w.st.Snapshot(); snap.GenVersion != snap.Version {
		w.t.Fatalf("at rest with an older tree than there is: %+v", snap)
	}
	for _, h := range w.st.Snapshot().Holds {
		if h.Kind != AfterHookFailed && h.Kind != AfterHookSuspended {
			w.t.Fatalf("at rest something waits: %+v", w.st.Snapshot())
		}
	}
}

// TestAllShortSequences plays every sequence of four actions from the start, and
// of three in the middle of a replacement.
func TestAllShortSequences(t *testing.T) {
	actions := []byte{0x00, 0x02, 0x03, 0x13, 0x04, 0x05, 0x36, 0x07, 0x17, 0x0b, 0x1b, 0x4c, 0x0e, 0x1f, 0xff}
	k := len(actions)
	for n := range k * k * k * k {
		playAll(t, nil, actions, 4, n)
	}
	for n := range k * k * k {
		playAll(t, []byte{7, 7, 7, 7, 7, 7, 7, 7, 0x0c, 0, 0x4c, 7}, actions, 3, n)
	}
}

// playAll plays the n-th sequence of that length after prefix.
func playAll(t *testing.T, prefix, actions []byte, length, n int) {
	script := append([]byte(nil), prefix...)
	for range length {
		script = append(script, actions[n%len(actions)])
		n /= len(actions)
	}
	playScript(t, hooks(3), script)
}
