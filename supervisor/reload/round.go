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
		config config // of devguard.toml, as it was asked for
	}

	hooking struct {
		id    ID
		hook  int             // index into Options.Hooks
		watch change.Digest   // of the files that the hook watches, at its start
		tree  change.Snapshot // at its start
	}

	building struct {
		id  ID
		gen int // the generation that it would become
		inputs
		seq   uint64    // Snapshot.Seq at its start
		asked int       // State.asked at its start
		stale time.Time // first change that it missed; zero if none
		grown bool      // a listing that ended meanwhile found more files
		slow  Refusal   // why it must not be fast; zero when it may be, or the doer knows
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
func (b building) step() ID    { return b.id }

// config is devguard.toml as it was read last.
type config struct {
	digest  change.Digest // zero before the first listing
	shape   change.Digest // Snapshot.Shape when it was asked for
	version uint64        // Snapshot.Version when it was asked for
	err     error         // it is not valid: the settings of before stay
}

// sameError reports whether both are the same file with the same fault.
func (c config) sameError(o config) bool {
	return c.digest == o.digest && c.err != nil && o.err != nil && c.err.Error() == o.err.Error()
}

// For how long, at least and at most, newer changes may cancel a build. The first one may have taken many minutes, and
// none after it.
const (
	minWindow = 2 * time.Second
	maxWindow = time.Minute
)

// window is how long the oldest unserved change may wait before a build is
// allowed to finish although its inputs have changed: under edits for ever,
// generations still appear.
func (m *machine) window() time.Duration { return min(max(minWindow, 2*m.buildTook), maxWindow) }

func (m *machine) withinWindow() bool {
	return m.saved.IsZero() || m.now.Sub(m.saved) < m.window()
}

// advanceRound starts the next step of the work on the tree, and returns what
// further steps wait for.
func (m *machine) advanceRound() wait {
	if w, ok := m.stepWait(); ok {
		return w
	}
	if m.settling() {
		return burstWait
	}
	why := m.restWait()
	if m.again && (!m.round.open() || m.withinWindow()) {
		m.openRound()
	}
	if m.round.open() {
		why = m.nextStep()
	}
	if m.again && !m.round.open() { // it came too late for the round that has just ended
		m.openRound()
		why = m.nextStep()
	}
	return why
}

// stepWait returns what is waited for while a step is in flight.
func (s State) stepWait() (wait, bool) {
	switch r := s.round.(type) {
	case configuring:
		return configWait, true
	case hooking:
		return hookWait(s.opts.Hooks[r.hook].Name), true
	case building:
		return buildWait, true
	case cancelling:
		return cancelledWait, true
	}
	return wait{}, false
}

// restWait returns why a round that is over did not do what is still due.
func (s State) restWait() wait {
	if r, ok := s.round.(brokenOff); ok {
		return brokenOffBy(r.hook)
	}
	if _, bad := s.built.(badBuild); bad {
		return badBuildWait
	}
	if !s.takeAt().IsZero() {
		return pauseWait
	}
	return nextChangeWait
}

// holdRound says which steps are due and wait.
func (m *machine) holdRound(why wait) {
	if m.configDue() {
		m.hold("configuration", why)
	}
	if m.listDue() {
		m.hold("listing", why)
	}
	for i := range m.hooks {
		m.holdHook(i, why)
	}
	if m.buildWanted() {
		m.hold("build", why)
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
	switch step.(type) {
	case hooking, building:
		m.settled()
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

// nextStep is the order of one round: configuration, graph, hooks, build. It
// returns what the steps behind the next one wait for.
func (m *machine) nextStep() wait {
	if m.configDue() {
		m.readConfig()
		return configWait
	}
	m.list()
	if m.graph.unusable() {
		return listingWait
	}
	i, hook := m.dueHook()
	if !hook && m.broken != "" { // git was busy, say, or a listing has ended
		m.closeRound(brokenOff{m.broken})
		return m.restWait()
	}
	if w, verifies := m.verifyWait(hook || !m.opts.Command && m.buildDue()); verifies {
		return w
	}
	if hook {
		return m.advanceHook(i)
	}
	if m.opts.Command {
		m.met = m.asked // nothing is built
	}
	if m.buildDue() {
		m.build()
		return buildWait
	}
	m.endRound()
	return m.restWait()
}

// endRound ends a round that has done all there was to do.
func (m *machine) endRound() {
	m.closeRound(resting{})
	m.takeRound()
	m.refresh()
	m.served()
}

// served forgets the changes that the round was about: what is due serves them,
// or they were shown to be broken.
func (m *machine) served() {
	m.spent = Parts{}
	switch {
	case !m.again:
		m.saved = time.Time{}
	case !m.saved.IsZero():
		m.saved = m.now // there is a newer one; when it came was not kept
	}
}

// configDue reports whether devguard.toml is not the one that was read last; or was not valid with
// the packages of then: it names one of them, or relies on there being one, and a checkout may have
// been half done.
func (s State) configDue() bool {
	c := s.config
	if r, ok := s.round.(configuring); ok {
		return s.tree.Config != r.config.digest
	}
	return s.graph.known() && (s.tree.Config != c.digest || c.err != nil && s.tree.Shape != c.shape)
}

func (m *machine) readConfig() {
	id := m.issue(func(id ID) Effect { return LoadConfig{id} })
	m.begin(configuring{id, config{digest: m.tree.Config, shape: m.tree.Shape, version: m.tree.Version}})
}

func (m *machine) configLoaded(ev ConfigLoaded) {
	r, ok := m.round.(configuring)
	if !ok || r.id != ev.ID {
		return
	}
	before := m.config
	m.config = r.config
	m.config.err = ev.Err
	m.endStep()
	if ev.Err != nil {
		if !m.config.sameError(before) {
			m.log(Log{What: LogConfigInvalid, Err: ev.Err})
		}
		return
	}
	m.adopt(ev.Brings)
	if ev.Retires {
		m.retired++
	}
	m.setOptions(ev.Options)
	m.newSettings(ev.Same)
	m.relistAll()
	if ev.Rebuild {
		m.asked++
	}
	m.log(Log{What: LogConfigApplied})
}
