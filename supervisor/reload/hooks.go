package reload

import (
	"slices"
	"time"

	"github.com/devguard/devguard/supervisor/change"
)

// A hook that runs maxRuns times within loopWindow without an edit elsewhere
// feeds itself (design.md §5).
const (
	maxRuns    = 3
	loopWindow = 10 * time.Second
)

// hookState is the history of one hook.
type hookState struct {
	ok        change.Digest // fingerprint of the last success
	bad       bool          // the last run failed, at the fingerprint failed
	failed    change.Digest
	missing   bool          // it ran and its outputs are missing all the same
	late      bool          // due since a round that the failure of another has ended
	held      bool          // said to be waiting for git
	suspended bool          // it feeds itself
	runs      []time.Time   // since the last edit elsewhere
	asked     []change.Path // what asked for it since its last run began
	last      []change.Path // what asked for that run
}

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
		if m.hookDue(i) && !m.hookHeld(i) {
			return i, true
		}
	}
	return 0, false
}

// hookDue reports whether a hook has work that this round has not done yet.
func (m *machine) hookDue(i int) bool { return !m.round.ran[i] && m.hookWanted(i) }

// hookWanted compares what the hook would use with what it last used.
func (s State) hookWanted(i int) bool {
	h, tree := s.hooks[i], s.hookTree(i)
	if h.suspended || h.bad && tree.Watch == h.failed {
		return false
	}
	return tree.Watch != h.ok || tree.Missing && !h.missing
}

// hooksWanted reports whether a hook would have to run before a build.
func (m *machine) hooksWanted() bool {
	for i := range m.hooks {
		if m.hookWanted(i) && !m.hookHeld(i) {
			return true
		}
	}
	return false
}

// hookHeld reports whether a due hook waits for git, and says so once.
func (m *machine) hookHeld(i int) bool {
	hold := m.opts.Hooks[i].Migrates && m.tree.GitBusy && !m.force.hooks
	if hold && !m.hooks[i].held {
		m.log(Log{What: LogHookHeld, Gen: m.nextGen(), Hook: m.opts.Hooks[i].Name})
	}
	m.hooks[i].held = hold
	return hold
}

func (m *machine) runHook(i int) {
	h := &m.hooks[i]
	h.runs = append(recent(h.runs, m.now), m.now)
	m.round.ran[i] = true
	m.work = work{kind: hooking, hook: i, watch: m.hookTree(i).Watch}
	gen := m.nextGen()
	h.last, h.asked = h.asked, nil
	m.work.id = m.issue(func(id ID) Effect {
		return RunHook{ID: id, Gen: gen, Hook: i, Watch: m.work.watch, Changed: h.last}
	})
	m.log(Log{What: LogHookStarted, Gen: gen, Hook: m.opts.Hooks[i].Name})
}

// recent returns the times within the loop window, in a slice of its own.
func recent(runs []time.Time, now time.Time) []time.Time {
	return slices.DeleteFunc(slices.Clone(runs), func(t time.Time) bool { return now.Sub(t) > loopWindow })
}

func (m *machine) hookDone(ev HookDone) {
	if ev.ID != m.work.id {
		return
	}
	i, spec := m.work.hook, m.opts.Hooks[m.work.hook]
	h, watch, ending := &m.hooks[i], m.work.watch, m.work.cancelled
	m.work = work{}
	if ending {
		return // by the user's wish, and nothing comes after it
	}
	if before, adopted := m.observe(ev.Snapshot); adopted && !before.SameWork(m.tree) {
		m.again = true
	}
	if ev.Err != nil {
		m.hookFailed(i, ev, watch)
		return
	}
	h.ok, h.bad, h.late, h.missing = watch, false, false, m.hookTree(i).Missing
	m.log(Log{What: LogHookFinished, Gen: m.nextGen(), Hook: spec.Name, Took: ev.Took, Detail: ev.Detail})
	m.hookThen(spec)
	m.suspendLoop(i)
}

func (m *machine) hookFailed(i int, ev HookDone, watch change.Digest) {
	// What it has left of its outputs is not that of its last success any more.
	m.hooks[i].ok, m.hooks[i].bad, m.hooks[i].failed = change.Digest{}, true, watch
	m.log(Log{What: LogHookFailed, Gen: m.nextGen(), Hook: m.opts.Hooks[i].Name, Took: ev.Took, Err: ev.Err, Detail: ev.Detail})
	if m.hooks[i].late {
		m.hooks[i].late = false
		return // the edit that this round is about is elsewhere
	}
	if !m.atFirst() { // at the very start the app is built all the same
		m.closeRound()
		m.served()
		for j := range m.hooks {
			m.hooks[j].late = m.hookDue(j)
		}
	}
}

func (m *machine) hookThen(spec Hook) {
	switch {
	case spec.Migrates:
		m.force.migrate, m.force.build = true, true
	case spec.Then == ThenRestart, spec.Then == ThenRebuild && m.opts.Command:
		m.force.restart = true
	case spec.Then == ThenRebuild:
		m.force.build = true
	}
}

// suspendLoop stops a hook whose success keeps asking for itself.
func (m *machine) suspendLoop(i int) {
	h := &m.hooks[i]
	if len(recent(h.runs, m.now)) < maxRuns || m.hookTree(i).Watch == h.ok {
		return
	}
	h.suspended = true
	m.log(Log{What: LogHookSuspended, Gen: m.nextGen(), Hook: m.opts.Hooks[i].Name, Paths: append(h.asked, h.last...)})
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
			} else if m.work.kind != hooking && len(p.Class.Hooks)+len(p.Class.Outputs) == 0 {
				h.runs, h.suspended = nil, false
			}
		}
		h.asked = slices.Concat(h.asked, own)
		h.late = h.late && len(own) == 0
	}
}
