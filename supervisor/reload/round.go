package reload

import (
	"time"

	"github.com/devguard/devguard/supervisor/change"
)

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
	if m.work.kind != idle || m.settling() {
		return
	}
	if m.again && (!m.round.open || m.withinWindow()) {
		m.openRound()
	}
	if m.round.open {
		m.nextStep()
	}
	if m.again && !m.round.open { // it came too late for the round that has just ended
		m.openRound()
		m.nextStep()
	}
}

func (m *machine) openRound() {
	m.again = false
	m.round = round{open: true, ran: make([]bool, len(m.hooks))}
}

// nextStep is the order of one round: configuration, graph, hooks, build.
func (m *machine) nextStep() {
	if m.known && m.tree.Config != m.config {
		m.work = work{kind: configuring, watch: m.tree.Config}
		m.work.id = m.issue(func(id ID) Effect { return LoadConfig{id} })
		return
	}
	m.list()
	if m.relist {
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

// list reads the graph when its shape changed, beside everything else.
func (m *machine) list() {
	if m.listing == 0 && (m.relist || m.listed != m.tree.Shape) {
		m.listing = m.issue(func(id ID) Effect { return List{id} })
	}
}

func (m *machine) listedGraph(ev Listed) {
	if ev.ID != m.listing {
		return
	}
	m.listing, m.listErr = 0, nil
	if ev.Err != nil && m.listFailed(ev) {
		return
	}
	m.adopt(ev.Brings)
	before, adopted := m.observe(ev.Snapshot)
	if !m.known && !ev.StaleConfig {
		m.config = ev.Snapshot.Config
	}
	m.known, m.relist, m.listed = true, false, ev.Snapshot.Shape
	if ev.Stale {
		m.listed = change.Digest{}
	}
	m.again = m.again || !before.SameWork(m.tree) || m.listed != m.tree.Shape
	m.rebase(before, adopted, ev.Adopted)
}

// listFailed reports whether nothing more can be made of a failed listing. A
// broken tree still has a snapshot; the next change of its shape lists again.
func (m *machine) listFailed(ev Listed) bool {
	if ev.Fatal && m.hopeless() {
		m.err, m.closing = ev.Err, graceful
		return true
	}
	m.listErr = ev.Err
	if ev.Snapshot.Version == 0 {
		m.relist, m.listed = false, m.tree.Shape
		return true
	}
	return false
}

// tellListing says why a listing failed, once there is nothing to list or to
// build: a build that fails has said the same, and the next listing may be good.
func (m *machine) tellListing() {
	if m.listErr == nil || m.listing != 0 || m.work.kind != idle || m.round.open || m.again || m.settling() {
		return
	}
	if !m.built.failed {
		m.log(Log{What: LogListFailed, Err: m.listErr})
	}
	m.listErr = nil
}

// rebase carries the verdict about the last build over to a larger or smaller
// set of files: the digest differs because the set does, not because of an
// edit. A build that began before the latest change of what was found may have
// read another state of that, also when it has ended since with the larger set.
// One that fails may have missed what was found, moved here with its old times:
// the larger set is built, whatever the times say.
func (m *machine) rebase(before change.Snapshot, adopted bool, found time.Time) {
	if m.work.kind == building {
		m.work.grown = m.work.grown || !found.IsZero()
		if found.After(m.work.started) && m.work.stale.IsZero() {
			m.work.stale = m.now
		}
		return
	}
	early := found.Before(m.built.started)
	switch {
	case !m.built.ever:
	case m.built.failed:
		if !adopted && !found.IsZero() {
			m.built.source, m.again = change.Digest{}, true
		}
	case adopted && early && m.built.source == before.Source && m.tree.Seq == before.Seq:
		m.built.source = m.tree.Source
	case !adopted && !early && m.built.source == m.tree.Source:
		m.built.source, m.again = change.Digest{}, true
	}
}

func (m *machine) configLoaded(ev ConfigLoaded) {
	if ev.ID != m.work.id {
		return
	}
	m.config = m.work.watch
	m.work = work{}
	if ev.Err != nil {
		m.log(Log{What: LogConfigInvalid, Err: ev.Err})
		return
	}
	m.adopt(ev.Brings)
	if ev.Retires {
		m.retired++
	}
	m.setOptions(ev.Options)
	m.uncheck()
	m.relist = true
	if m.listing != 0 { // it asked with the old settings
		m.cancel(m.listing)
		m.listing = 0
	}
	m.force.build = m.force.build || ev.Rebuild
	m.force.restart = true
	m.log(Log{What: LogConfigApplied})
}

// buildDue reports whether the newest build, good or bad, was made of another
// tree than there is now. A test file is no source, but a broken package clause
// in one fails the build.
func (m *machine) buildDue() bool {
	if m.opts.Command {
		m.force.build = false
		return false
	}
	return m.force.build || !m.built.ever || m.built.source != m.tree.Source ||
		m.built.failed && m.built.headers != m.tree.Headers
}

// build starts a build of the tree as it is now.
func (m *machine) build() {
	m.work = work{kind: building, gen: m.nextGen(), seq: m.tree.Seq, headers: m.tree.Headers, started: m.now, forced: m.force.build}
	m.force.build = false
	m.work.id = m.issue(func(id ID) Effect {
		return Build{ID: id, Gen: m.work.gen, Keep: m.binariesInUse()}
	})
	m.log(Log{What: LogBuildStarted, Gen: m.work.gen})
}

// outdate marks a running build whose inputs have changed, and cancels it
// while that is allowed.
func (m *machine) outdate(set change.Set) {
	if m.work.kind != building || m.work.cancelled {
		return
	}
	if m.tree.Seq == m.work.seq && !m.hooksWanted() {
		return
	}
	if m.work.stale.IsZero() {
		m.work.stale = set.At
	}
	if m.saved.IsZero() {
		m.saved = set.At
	}
	if m.withinWindow() {
		m.work.cancelled = true
		m.cancel(m.work.id)
	}
}

func (m *machine) buildDone(ev Built) {
	if ev.ID != m.work.id {
		return
	}
	w := m.work
	m.work = work{}
	m.adopt(ev.Brings)
	m.observe(ev.Snapshot)
	if m.tree.Seq != w.seq && w.stale.IsZero() {
		w.stale = m.now
		if m.saved.IsZero() {
			m.saved = m.now
		}
	}
	// A build may end before its cancellation reaches it, or only the last
	// sweep finds the change: what it read is then not one state of the tree.
	if ev.Cancelled || (!w.stale.IsZero() && m.withinWindow()) {
		m.log(Log{What: LogBuildCancelled, Gen: w.gen, Took: ev.Took})
		m.force.build = m.force.build || w.forced
		m.again = true
		return
	}
	m.takeBuild(ev, w)
}

// takeBuild makes a finished build the one that counts.
func (m *machine) takeBuild(ev Built, w work) {
	m.lastBuild = ev.Took
	m.built = buildState{ever: true, failed: ev.Err != nil, headers: w.headers, started: w.started}
	saved := m.saved
	m.saved = w.stale
	if w.stale.IsZero() && !(w.grown && ev.Err != nil) {
		m.built.source = m.tree.Source
	} else {
		m.again = true
	}
	if ev.Err != nil {
		m.closeRound()
		m.log(Log{What: LogBuildFailed, Gen: w.gen, Took: ev.Took, Err: ev.Err, Detail: ev.Detail})
		return
	}
	m.log(Log{What: LogBuildFinished, Gen: w.gen, Took: ev.Took, Detail: ev.Detail})
	m.takeBinary(ev, w.gen, saved)
}

// endRound ends a round that has done all there was to do.
func (m *machine) endRound() {
	m.closeRound()
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

func (m *machine) closeRound() {
	m.round.open = false
	m.force.hooks = false
}
