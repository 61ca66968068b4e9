package reload

import (
	"path/filepath"
	"slices"
	"time"

	"github.com/devguard/devguard/supervisor/change"
)

// An app may write into what it is restarted by: a dump of its schema, a report, the log
// of a command. Each restart then asks for the next one. Such a file is suspended: a
// change of it asks for nothing before a pause has passed since the start, and the pause
// grows. A change of anything else is served at once, and takes up what the file has.

const (
	// soon is how long after a start a change is taken for the app's own doing.
	soon = 2 * time.Second

	// maxRestarts within loopWindow is how often one file may have the app restarted
	// soon after a start, without an edit elsewhere.
	maxRestarts = 3

	// The pauses, doubled from the first to the last. Numbers are a guess: the first is
	// what somebody who saves all the time can bear to wait for the last save, the last
	// disturbs nobody.
	firstPause = 10 * time.Second
	maxPause   = time.Hour

	// maxWritten bounds the files that are remembered of one generation.
	maxWritten = 256
)

// written is a file that only the running app reads, and that changed soon after a
// start.
type written struct {
	path  change.Path // its latest change
	last  time.Time   // when that was
	gen   int         // the generation that it last changed in
	state writtenState
}

// writtenState says what a change of the file asks for: one of the types below.
type writtenState interface{ writtenState() }

type (
	// counted: a restart.
	counted struct{ restarts []time.Time } // that it asked for, since the last edit elsewhere

	// paused: nothing, until so long after the start.
	paused struct{ pause time.Duration }

	// taken: a restart, as the pause is over.
	taken struct{ pause time.Duration }
)

func (counted) writtenState() {}
func (paused) writtenState()  {}
func (taken) writtenState()   {}

// noteWrites takes down what changed, and returns the paths without those of suspended
// files, which ask for nothing.
func (m *machine) noteWrites(set change.Set) (asking []change.Path) {
	if slices.ContainsFunc(set.Ignored, ofSource) {
		m.editedElsewhere()
	}
	suspended := false
	for _, p := range set.Paths {
		i, ok := m.writtenByApp(p, m.fresh(set.At))
		if ok {
			suspended = m.noteWrite(i, p) || suspended
			if _, ok := m.written[i].state.(paused); ok {
				continue
			}
		}
		asking = append(asking, p)
	}
	if suspended {
		m.log(Log{What: LogRestartSuspended, Gen: m.nextGen(), Paths: m.suspendedFiles()})
	}
	return asking
}

// noteWrite takes down a change of a file that the app may write itself, and reports
// whether that is once too often.
func (m *machine) noteWrite(i int, p change.Path) (suspended bool) {
	w := &m.written[i]
	w.path, w.last, w.gen = p, m.now, m.inst.gen
	c, ok := w.state.(counted)
	if !ok || len(recent(c.restarts, m.now)) < maxRestarts {
		return false
	}
	w.state = paused{firstPause}
	return true
}

// writtenByApp returns the entry of a file that the app may have written itself. The
// change of another one is an edit elsewhere, unless a hook has made it or the app while
// it ended.
func (m *machine) writtenByApp(p change.Path, fresh bool) (int, bool) {
	if m.inHook() || len(p.Class.Outputs) > 0 {
		return 0, false
	}
	i := slices.IndexFunc(m.written, func(w written) bool { return w.path.Name == p.Name })
	switch {
	case i >= 0 && m.inUse(m.written[i], fresh):
		return i, true
	case fresh && runtimeOnly(p) && len(m.written) < maxWritten:
		m.written = append(m.written, written{state: counted{}})
		return len(m.written) - 1, true
	case i >= 0:
		m.written = slices.Delete(m.written, i, i+1)
	}
	if m.inst.alone() {
		m.editedElsewhere()
	}
	return 0, false
}

// inUse reports whether the change of a file goes on with what is known of it. One that
// has rested for a while is edited like any other.
func (m *machine) inUse(w written, fresh bool) bool {
	if _, ok := w.state.(counted); ok {
		return fresh || w.gen == m.inst.gen
	}
	return m.now.Sub(w.last) < loopWindow || m.now.Sub(m.inst.begun) < loopWindow
}

// runtimeOnly reports whether a change of the file asks for a restart and nothing else.
func runtimeOnly(p change.Path) bool {
	c := p.Class
	return c.Runtime && c.Role == 0 && !c.Env && !c.Config && len(c.Hooks)+len(c.Outputs) == 0
}

// ofSource reports whether somebody who writes the file is at work on the source: a test,
// a save that left equal bytes.
func ofSource(p change.Path) bool { return p.Class.Role != 0 || filepath.Ext(p.Name) == ".go" }

// fresh reports whether the newest generation had begun its work only just then.
func (s State) fresh(at time.Time) bool {
	just := at.Sub(s.inst.begun) <= soon
	switch p := s.inst.phase.(type) {
	case never:
		return false
	case starting, aborting:
		return true
	case running:
		return just || p.ready != 0
	case stopping:
		return just && endedByItself(p.then)
	case draining:
		return just && endedByItself(p.then)
	}
	return just
}

// endedByItself reports whether the app has exited, so that what it wrote last may be told of after
// its end.
func endedByItself(then gap) bool {
	switch then.(type) {
	case exited, crashed:
		return true
	}
	return false
}

// editedElsewhere says that somebody is at work: what was restarted by its own files
// alone so far was not.
func (m *machine) editedElsewhere() {
	m.written = slices.DeleteFunc(m.written, func(w written) bool {
		_, ok := w.state.(counted)
		return ok
	})
}

// countRestart takes down that the generation ends, for the files that changed in it.
func (m *machine) countRestart() {
	for i := range m.written {
		w := &m.written[i]
		if w.gen != m.inst.gen {
			continue
		}
		switch st := w.state.(type) {
		case counted:
			w.state = counted{append(recent(st.restarts, m.now), m.now)}
		case taken:
			w.state = paused{min(2*st.pause, maxPause)}
		}
	}
}

// takeSuspended takes up the files whose pause is over.
func (m *machine) takeSuspended() {
	var due []change.Path
	for i := range m.written {
		w := &m.written[i]
		if at := m.pauseEnd(*w); !at.IsZero() && !m.now.Before(at) {
			w.state = taken(w.state.(paused))
			due = append(due, w.path)
		}
	}
	if len(due) > 0 {
		m.again = true
		m.untold = append(slices.Clip(m.untold), due...)
		m.edit(change.Set{Snapshot: m.tree, At: m.now, Paths: due})
	}
}

// pauseEnd returns when a change of a suspended file is taken up; zero if there is none.
func (s State) pauseEnd(w written) time.Time {
	p, ok := w.state.(paused)
	if !ok || w.gen != s.inst.gen {
		return time.Time{}
	}
	return s.inst.begun.Add(p.pause)
}

// takeAt returns when the next suspended file is taken up; zero for never.
func (s State) takeAt() (first time.Time) {
	for _, w := range s.written {
		if at := s.pauseEnd(w); !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// suspendedFiles are all that are suspended.
func (s State) suspendedFiles() (paths []change.Path) {
	for _, w := range s.written {
		if _, ok := w.state.(counted); !ok {
			paths = append(paths, w.path)
		}
	}
	change.SortPaths(paths)
	return paths
}
