package reload

import (
	"slices"
	"time"

	"github.com/devguard/devguard/supervisor/change"
)

// A hook whose files change while it runs, maxRuns times in a row within loopWindow
// without an edit elsewhere, feeds itself. One such run proves nothing: it may be the
// user's next save, or the second half of one.
const (
	maxRuns    = 3
	loopWindow = 10 * time.Second
)

// hook is the history of one hook.
type hook struct {
	state      hookState
	incomplete bool          // it ran, and its outputs are missing all the same
	late       bool          // due since a round that the failure of another has ended
	held       bool          // said to be waiting for git
	ran        int           // the round that it last ran in, of State.rounds
	runs       []time.Time   // in a row that its files changed during, and the last one; since the last edit elsewhere
	asked      []change.Path // what asked for it since its last run began
	last       []change.Path // what asked for that run
}

// hookState says when a hook runs: one of the types below. That it runs is the
// round's.
type hookState interface {
	// ok returns the fingerprint that asks for nothing: that of its last success.
	// Zero when that was never, or a failure has left outputs of no state since.
	ok() change.Digest
}

type (
	// ready: it runs once its files differ from those of its last success, or its
	// outputs are missing.
	ready struct{ last change.Digest }

	// failed: likewise, but not with the files that it failed with.
	failed struct {
		at      change.Digest
		version uint64 // Snapshot.Version at its start
		err     error
		detail  any // HookDone.Detail
	}

	// suspended: it feeds itself, and runs no more until something else is edited.
	suspended struct{ last change.Digest }
)

func (h ready) ok() change.Digest     { return h.last }
func (failed) ok() change.Digest      { return change.Digest{} }
func (h suspended) ok() change.Digest { return h.last }

// hookTree is what the tree says of a hook.
func (s State) hookTree(i int) change.HookState {
	if i < len(s.tree.Hooks) {
		return s.tree.Hooks[i]
	}
	return change.HookState{}
}

// dueHook returns the first hook that has to run in this round.
func (m *machine) dueHook() (int, bool) {
	for i := range m.hooks {
		if m.hookDue(i) && !m.holdForGit(i) {
			return i, true
		}
	}
	return 0, false
}

// inHook reports whether a hook runs.
func (s State) inHook() bool {
	_, ok := s.round.(hooking)
	return ok
}

// hookDue reports whether a hook has work that this round has not done yet.
func (m *machine) hookDue(i int) bool { return m.hooks[i].ran != m.rounds && m.hookWanted(i) }

// hookBehind reports whether a hook has not succeeded with what there is.
func (s State) hookBehind(i int) bool {
	h, tree := s.hooks[i], s.hookTree(i)
	if state, ok := h.state.(failed); ok && tree.Watch == state.at {
		return true
	}
	return tree.Watch != h.state.ok() || tree.Missing && !h.incomplete
}

// hookWanted reports whether a hook is behind and may run.
func (s State) hookWanted(i int) bool {
	switch state := s.hooks[i].state.(type) {
	case suspended:
		return false
	case failed:
		if s.hookTree(i).Watch == state.at {
			return false
		}
	}
	return s.hookBehind(i)
}

// hooksWanted reports whether a hook would have to run before a build.
func (m *machine) hooksWanted() bool {
	for i := range m.hooks {
		if m.hookWanted(i) && !m.holdForGit(i) {
			return true
		}
	}
	return false
}

// waitsForGit reports whether a hook must not run because git is busy.
func (s State) waitsForGit(i int) bool {
	return s.opts.Hooks[i].Migrates && s.tree.GitBusy && !s.runHeld
}

// holdForGit reports whether a due hook waits for git, and logs that once.
func (m *machine) holdForGit(i int) bool {
	hold := m.waitsForGit(i)
	if hold && !m.hooks[i].held {
		m.log(Log{What: LogHookHeld, Gen: m.nextGen(), Hook: m.opts.Hooks[i].Name})
	}
	m.hooks[i].held = hold
	return hold
}

// advanceHook runs a hook unless that would overlap a stop or start.
func (m *machine) advanceHook(i int) wait {
	if w, ok := m.replacing(); ok {
		return w
	}
	m.runHook(i)
	return hookWait(m.opts.Hooks[i].Name)
}

// holdHook says what a hook waits for whose files, or outputs, are not those of its
// last success; why is what the round waits for.
func (m *machine) holdHook(i int, why wait) {
	h := &m.hooks[i]
	if !m.settling() { // git's lock comes and goes in a burst
		h.held = h.held && m.hookWanted(i) && m.waitsForGit(i)
	}
	if r, ok := m.round.(hooking); ok && r.hook == i && r.watch == m.hookTree(i).Watch {
		return
	}
	switch {
	case m.hookWanted(i):
		if m.waitsForGit(i) {
			why = gitWait
		}
	case !m.hookBehind(i):
		return
	default:
		why = badHookWait
		if _, ok := h.state.(suspended); ok {
			why = suspendedWait
		}
	}
	m.hold("hook "+m.opts.Hooks[i].Name, why)
}

func (m *machine) runHook(i int) {
	h := &m.hooks[i]
	h.runs = append(recent(h.runs, m.now), m.now)
	h.ran = m.rounds
	h.last, h.asked = h.asked, nil
	gen, watch := m.nextGen(), m.hookTree(i).Watch
	id := m.issue(func(id ID) Effect {
		return RunHook{ID: id, Gen: gen, Hook: i, Watch: watch, Last: h.state.ok(), Changed: h.last}
	})
	m.begin(hooking{id: id, hook: i, watch: watch, tree: m.tree})
	m.log(Log{What: LogHookStarted, Gen: gen, Hook: m.opts.Hooks[i].Name})
}

// recent returns the times within the loop window, in a slice of its own.
func recent(runs []time.Time, now time.Time) []time.Time {
	return slices.DeleteFunc(slices.Clone(runs), func(t time.Time) bool { return now.Sub(t) > loopWindow })
}

func (m *machine) hookDone(ev HookDone) {
	r, ok := m.round.(hooking)
	if !ok || r.id != ev.ID {
		return
	}
	m.endStep()
	m.spent.Hooks += ev.Took
	if !m.isOpen() {
		return // by the user's wish, and nothing comes after it
	}
	if before, adopted := m.observe(ev.Snapshot); adopted && !before.SameWork(m.tree) {
		m.again = true
	}
	if ev.Err != nil {
		m.hookFailed(ev, r)
		return
	}
	h, spec := &m.hooks[r.hook], m.opts.Hooks[r.hook]
	h.state, h.late, h.incomplete = ready{r.watch}, false, m.hookTree(r.hook).Missing
	m.log(Log{What: LogHookFinished, Gen: m.nextGen(), Hook: spec.Name, Took: ev.Took, Detail: ev.Detail})
	m.hookThen(spec)
	m.suspendLoop(r.hook)
}

func (m *machine) hookFailed(ev HookDone, r hooking) {
	h, name := &m.hooks[r.hook], m.opts.Hooks[r.hook].Name
	h.state = failed{r.watch, r.tree.Version, ev.Err, ev.Detail}
	m.log(Log{What: LogHookFailed, Gen: m.nextGen(), Hook: name, Took: ev.Took, Err: ev.Err, Detail: ev.Detail})
	switch {
	case h.late:
		h.late = false // the edit that this round is about is elsewhere
	case m.atFirst(): // at the very start the app is built all the same
	default:
		if r.tree.SameContents(m.tree) { // else there is an edit to serve
			m.broken = name
		}
		m.closeRound(brokenOff{name})
		m.served()
		for j := range m.hooks {
			m.hooks[j].late = m.hookDue(j)
		}
	}
}

func (m *machine) hookThen(spec Hook) {
	switch {
	case spec.Migrates:
		m.oweRestart(afterMigration)
		m.asked++
	case spec.Then == ThenRestart, spec.Then == ThenRebuild && m.opts.Command:
		m.oweRestart(askedFor)
	case spec.Then == ThenRebuild:
		m.asked++
	case spec.Then == ThenReload:
		m.fetched.made = allPages
	case spec.Then == ThenRestyle:
		m.fetched.made = max(m.fetched.made, stylesheets)
	}
}

// suspendLoop stops a hook whose success keeps asking for itself.
func (m *machine) suspendLoop(i int) {
	h := &m.hooks[i]
	last := h.state.ok()
	switch {
	case m.hookTree(i).Watch == last:
		h.runs = nil
	case len(recent(h.runs, m.now)) >= maxRuns:
		h.state = suspended{last}
		m.log(Log{What: LogHookSuspended, Gen: m.nextGen(), Hook: m.opts.Hooks[i].Name, Paths: append(h.asked, h.last...)})
	}
}

// askHooks notes which files each hook was asked for by, and lets a suspended
// hook run again after an edit elsewhere. What changes while a hook runs is
// taken for its doing.
func (m *machine) askHooks(paths []change.Path) {
	for i := range m.hooks {
		h := &m.hooks[i]
		var own []change.Path
		for _, p := range paths {
			if slices.Contains(p.Class.Hooks, i) {
				own = append(own, p)
			} else if !m.inHook() && len(p.Class.Hooks)+len(p.Class.Outputs) == 0 {
				h.runs = nil
				h.resume()
			}
		}
		h.asked = slices.Concat(h.asked, own)
		h.late = h.late && len(own) == 0
	}
}

// resume lets a suspended hook run again.
func (h *hook) resume() {
	if s, ok := h.state.(suspended); ok {
		h.state = ready(s)
	}
}

// retry lets the hook run again with the files that it failed with, or that it
// has written itself.
func (h *hook) retry() {
	h.resume()
	if _, ok := h.state.(failed); ok {
		h.state = ready{}
	}
}
