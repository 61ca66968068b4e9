package reload

import (
	"slices"
	"time"

	"github.com/devguard/devguard/supervisor/change"
)

// Step takes one event into account and returns the new state and what to
// start. now must not go back by itself; a clock that jumps only moves
// deadlines.
func Step(s State, ev Event, now time.Time) (State, []Effect) {
	m := newMachine(s, now)
	m.accept(ev)
	m.plan()
	return m.State, m.effects
}

// Begin returns the effects that come before any event.
func Begin(s State, now time.Time) (State, []Effect) {
	m := newMachine(s, now)
	m.plan()
	return m.State, m.effects
}

// machine is a State on its way to the next one.
type machine struct {
	State
	was     closing // before this step
	now     time.Time
	effects []Effect
}

func newMachine(s State, now time.Time) *machine {
	s.hooks, s.written = slices.Clone(s.hooks), slices.Clone(s.written)
	return &machine{State: s, was: s.closing, now: now}
}

// issue counts an effect that will be answered and returns its ID.
func (m *machine) issue(make func(ID) Effect) ID {
	m.lastID++
	m.inFlight++
	m.effects = append(m.effects, make(m.lastID))
	return m.lastID
}

func (m *machine) cancel(id ID) { m.effects = append(m.effects, Cancel{id}) }

func (m *machine) log(l Log) { m.effects = append(m.effects, l) }

func (m *machine) accept(ev Event) {
	switch ev := ev.(type) {
	case Changed:
		m.changed(ev.Set)
	case Tick:
	case Restart:
		m.wishRestart()
	case Replace:
		m.again, m.broken = true, ""
		m.editedElsewhere()
		m.oweRestart(askedFor)
	case Interrupt:
		m.interrupted()
	case Quit:
		m.forwardQuit()
	case Suspend:
		m.stopJob()
	default:
		m.inFlight--
		m.result(ev)
	}
}

// result hands an answer to its owner if it is still awaited.
func (m *machine) result(ev Event) {
	switch ev := ev.(type) {
	case Listed:
		m.listedGraph(ev)
	case ConfigLoaded:
		m.configLoaded(ev)
	case HookDone:
		m.hookDone(ev)
	case Built:
		m.buildDone(ev)
	case Checked:
		m.checked(ev)
	case Started:
		m.started(ev)
	case Exited:
		m.exited(ev)
	case ReadyDone:
		m.readyDone(ev)
	case Stopped:
		m.stopped(ev)
	case Drained:
		m.drained(ev)
	case Verified:
		m.verifyDone(ev)
	case BesideDone:
		m.besideDone(ev)
	default:
		panic("BUG: unknown event")
	}
}

// plan starts whatever is due and possible now, and says what the rest waits for.
func (m *machine) plan() {
	before := m.holds
	m.holds = nil
	m.closeRetired()
	if m.isOpen() {
		m.advance()
	} else {
		m.shutDown()
	}
	m.tellHolds(before)
}

func (m *machine) advance() {
	m.takeSuspended()
	m.settle()
	m.tellChanged()
	why := m.advanceRound()
	m.holdRound(why)
	m.tellListing()
	m.advanceInstance(why)
	m.catchUp()
	m.verify()
}

// observe adopts a snapshot unless a newer one is known: snapshots come with
// changes and with results, and these may overtake each other.
func (m *machine) observe(snap change.Snapshot) (before change.Snapshot, adopted bool) {
	before = m.tree
	if snap.Version <= before.Version {
		return before, false
	}
	m.tree = snap
	if !before.SameContents(snap) {
		m.broken = ""
	}
	if snap.Env != before.Env {
		m.uncheck()
	}
	for i := range m.hooks {
		if st := m.hookTree(i); !st.Missing {
			m.hooks[i].incomplete = false
		}
	}
	return before, true
}

// changed takes a set of changes into account.
func (m *machine) changed(set change.Set) {
	m.logSet(set)
	asking := m.noteWrites(set)
	if len(asking) == 0 && len(set.Paths) > 0 && set.Version > m.tree.Version {
		m.tree.Runtime = set.Runtime // the app has written a file of its own: nothing to do for it
	}
	before, adopted := m.observe(set.Snapshot)
	m.noteMixed(asking, set)
	m.untold = append(slices.Clip(m.untold), asking...)
	if !adopted || !m.graph.known() {
		return // what is there when devguard starts is no edit
	}
	if before.SameWork(set.Snapshot) {
		m.outdate(set)
		return
	}
	m.again = true
	if !before.SameBuild(set.Snapshot) {
		m.disturb()
	}
	if !before.SameContents(set.Snapshot) {
		m.edit(set)
	}
	m.outdate(set)
}

// edit takes up a change that a person or a generator made.
func (m *machine) edit(set change.Set) {
	m.forgiveCrashes()
	m.askHooks(set.Paths)
	if m.saved.IsZero() {
		m.saved = set.At
	}
	m.burst = m.burst.Add(names(set.Paths), m.now, set.GitLock)
}

func names(paths []change.Path) []string {
	out := make([]string, len(paths))
	for i, p := range paths {
		out[i] = p.Name
	}
	return out
}

func (m *machine) logSet(set change.Set) {
	for _, n := range set.Notes {
		m.log(Log{What: LogNote, Note: n})
	}
	if len(set.Ignored) > 0 {
		m.log(Log{What: LogIgnored, Paths: set.Ignored})
	}
}

// tellChanged names what has changed, once a burst: a git checkout makes hundreds
// of sets.
func (m *machine) tellChanged() {
	if len(m.untold) == 0 || m.settling() {
		return
	}
	paths := slices.Clone(m.untold) // other values of State have it too
	change.SortPaths(paths)
	paths = slices.CompactFunc(paths, func(a, b change.Path) bool { return a.Name == b.Name })
	m.log(Log{What: LogChanged, Gen: m.nextGen(), Paths: paths})
	m.untold = nil
}

// settle ends a burst whose quiet time has come.
func (m *machine) settle() {
	if m.burst.Over(m.now) {
		m.burst = change.Burst{}
		m.noteMixedBurst()
	}
}

// settling reports whether changes are still coming in.
func (s State) settling() bool { return !s.burst.Deadline().IsZero() }

func (m *machine) wishRestart() {
	m.again, m.broken = true, ""
	m.editedElsewhere()
	m.forgiveCrashes()
	m.asked++
	m.oweRestart(askedFor)
	m.runHeld = true
	for i := range m.hooks {
		m.hooks[i].retry()
	}
}
