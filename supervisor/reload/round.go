package reload

import (
	"time"

	"github.com/devguard/devguard/supervisor/change"
)

// round is the work on the tree: one of the types below, with what is known in
// that state alone. At rest it waits for a change; once it is open it goes
// through its steps, one at a time: configuration, hooks, build.
type round interface {
	// open reports whether the round has begun and is not over.
	open() bool
	// step returns the ID of the step in flight; 0 for none.
	step() ID
}

type (
	// resting: all that could be done is done.
	resting struct{}

	// brokenOff: at rest too, because a hook failed; what was to follow it waits
	// for the next change.
	brokenOff struct{ hook string }

	// between: the round is open and none of its steps is in flight.
	between struct{}

	// configuring: devguard.toml is being read.
	configuring struct {
		id     ID
		config change.Digest // of devguard.toml, as it was asked for
	}

	hooking struct {
		id    ID
		hook  int           // index into Options.Hooks
		watch change.Digest // of the files that the hook watches, at its start
	}

	building struct {
		id  ID
		gen int // the generation that it would become
		inputs
		seq   uint64    // Snapshot.Seq at its start
		asked int       // State.asked at its start
		stale time.Time // first change that it missed; zero if none
		grown bool      // a listing that ended meanwhile found more files
	}

	// cancelling: the build was told to end and its answer is awaited.
	cancelling struct{ building }
)

func (resting) open() bool     { return false }
func (brokenOff) open() bool   { return false }
func (between) open() bool     { return true }
func (configuring) open() bool { return true }
func (hooking) open() bool     { return true }
func (building) open() bool    { return true }

func (resting) step() ID       { return 0 }
func (brokenOff) step() ID     { return 0 }
func (between) step() ID       { return 0 }
func (r configuring) step() ID { return r.id }
func (r hooking) step() ID     { return r.id }
func (r building) step() ID    { return r.id }

// minWindow is the least time for which newer changes may cancel a build.
const minWindow = 2 * time.Second

// window is how long the oldest unserved change may wait before a build is
// allowed to finish although its inputs have changed (P4).
func (m *machine) window() time.Duration { return max(minWindow, 2*m.lastBuild) }

func (m *machine) withinWindow() bool {
	return m.saved.IsZero() || m.now.Sub(m.saved) < m.window()
}

// advanceRound starts the next step of the work on the tree.
func (m *machine) advanceRound() {
	if m.round.step() != 0 || m.settling() {
		return
	}
	if m.again && (!m.round.open() || m.withinWindow()) {
		m.openRound()
	}
	if m.round.open() {
		m.nextStep()
	}
	if m.again && !m.round.open() { // it came too late for the round that has just ended
		m.openRound()
		m.nextStep()
	}
}

// openRound begins a round, or an open one anew.
func (m *machine) openRound() {
	m.again = false
	m.rounds++
	m.round = between{}
}

// begin takes up a step of the round.
func (m *machine) begin(step round) {
	if m.round != (between{}) {
		panic("BUG: a step of a round that is not between two")
	}
	m.round = step
}

// endStep goes on with the round after a step that was answered.
func (m *machine) endStep() {
	if m.round.step() == 0 {
		panic("BUG: the end of no step")
	}
	m.round = between{}
}

// cancelStep tells the step in flight to end.
func (m *machine) cancelStep() {
	switch r := m.round.(type) {
	case building:
		m.cancelBuild()
	case configuring, hooking:
		m.cancel(r.step())
	}
}

// closeRound ends the round between two steps.
func (m *machine) closeRound(rest round) {
	if m.round != (between{}) {
		panic("BUG: the end of a round that is not between two steps")
	}
	m.round = rest
	m.runHeld = false
}

// nextStep is the order of one round: configuration, graph, hooks, build.
func (m *machine) nextStep() {
	if m.graph.known() && m.tree.Config != m.config {
		m.readConfig()
		return
	}
	m.list()
	if m.graph.unusable() {
		return // hooks and build need the listing that is under way
	}
	if i, ok := m.dueHook(); ok {
		if m.mayRunHook() {
			m.runHook(i)
		}
		return // a hook never overlaps a stop or start
	}
	if m.buildDue() {
		m.build()
		return
	}
	m.endRound()
}

// endRound ends a round that has done all there was to do.
func (m *machine) endRound() {
	m.closeRound(resting{})
	m.takeRound()
	m.served()
}

// served forgets the changes that the round was about: what is due serves them,
// or they were shown to be broken.
func (m *machine) served() {
	switch {
	case !m.again:
		m.saved = time.Time{}
	case !m.saved.IsZero():
		m.saved = m.now // there is a newer one; when it came was not kept
	}
}

func (m *machine) readConfig() {
	config := m.tree.Config
	m.begin(configuring{m.issue(func(id ID) Effect { return LoadConfig{id} }), config})
}

func (m *machine) configLoaded(ev ConfigLoaded) {
	r, ok := m.round.(configuring)
	if !ok || r.id != ev.ID {
		return
	}
	m.config = r.config
	m.endStep()
	if ev.Err != nil {
		m.log(Log{What: LogConfigInvalid, Err: ev.Err})
		return
	}
	m.adopt(ev.Brings)
	if ev.Retires {
		m.retired++
	}
	m.setOptions(ev.Options)
	m.newSettings()
	m.relistAll()
	if ev.Rebuild {
		m.asked++
	}
	m.log(Log{What: LogConfigApplied})
}
