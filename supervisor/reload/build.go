package reload

import (
	"time"

	"github.com/devguard/devguard/supervisor/change"
)

// lastBuild is the last build that was not cancelled: one of the types below.
type lastBuild interface{ lastBuild() }

type (
	noBuild   struct{}
	goodBuild struct{ inputs }
	badBuild  struct {
		inputs
		err    error
		detail any // Built.Detail
	}
)

func (noBuild) lastBuild()   {}
func (goodBuild) lastBuild() {}
func (badBuild) lastBuild()  {}

// inputs are what a build was made of.
type inputs struct {
	version  uint64        // Snapshot.Version at its start: it has read that tree or a newer one
	source   change.Digest // zero while it runs, and when it was not made of one state
	headers  uint64        // Snapshot.Headers at its start
	unlisted uint64        // Snapshot.Unlisted at its start
	started  time.Time
}

// binary is the newest good output.
type binary struct {
	path    string
	gen     int // the generation it was built for
	digest  change.Digest
	version uint64 // Snapshot.Version at the start of the last build that has made it
}

// buildDue reports whether the newest build, good or bad, was made of another
// tree than there is now, or a build was asked for. A test file is no source, but
// a broken package clause in one fails the build.
func (s State) buildDue() bool {
	if s.opts.Command {
		return false
	}
	switch b := s.built.(type) {
	case goodBuild:
		return s.asked > s.met || b.source != s.tree.Source
	case badBuild:
		return s.asked > s.met || b.source != s.tree.Source || b.headers != s.tree.Headers
	}
	return true
}

// buildWanted reports whether a build is due, and what is built now is not of the
// tree as it is.
func (s State) buildWanted() bool {
	if b, ok := s.inBuild(); ok {
		return s.asked > b.asked || !b.stale.IsZero() || s.tree.Seq != b.seq
	}
	return s.buildDue()
}

// build starts a build of the tree as it is now.
func (m *machine) build() {
	gen := m.nextGen()
	why, slow := m.slow()
	id := m.issue(func(id ID) Effect {
		return Build{ID: id, Gen: gen, Keep: m.binariesInUse(), Fast: !slow, Binary: m.binary.digest}
	})
	m.begin(building{
		id: id, gen: gen, seq: m.tree.Seq, asked: m.asked, slow: why,
		inputs: inputs{version: m.tree.Version, headers: m.tree.Headers, unlisted: m.tree.Unlisted, started: m.now},
	})
	m.log(Log{What: LogBuildStarted, Gen: gen})
}

// inBuild returns the build that is not answered yet.
func (s State) inBuild() (building, bool) {
	switch r := s.round.(type) {
	case building:
		return r, true
	case cancelling:
		return r.building, true
	}
	return building{}, false
}

// cancelBuild tells the running build to end.
func (m *machine) cancelBuild() {
	b, ok := m.round.(building)
	if !ok {
		panic("BUG: no build to cancel")
	}
	m.round = cancelling{b}
	m.cancel(b.id)
}

// outdate marks a running build whose inputs have changed, and cancels it
// while that is allowed.
func (m *machine) outdate(set change.Set) {
	b, ok := m.round.(building)
	if !ok || m.tree.Seq == b.seq && !m.hooksWanted() {
		return
	}
	if b.stale.IsZero() {
		b.stale = set.At
	}
	m.round = b
	if m.saved.IsZero() {
		m.saved = set.At
	}
	if m.withinWindow() {
		m.cancelBuild()
	}
}

func (m *machine) buildDone(ev Built) {
	b, ok := m.inBuild()
	if !ok || b.id != ev.ID {
		return
	}
	m.endStep()
	m.adopt(ev.Brings)
	m.observe(ev.Snapshot)
	if m.tree.Seq != b.seq && b.stale.IsZero() {
		b.stale = m.now
		if m.saved.IsZero() {
			m.saved = m.now
		}
	}
	// A build may end before its cancellation reaches it, or only the last
	// sweep finds the change: what it read is then not one state of the tree.
	if ev.Cancelled || (!b.stale.IsZero() && m.withinWindow()) {
		m.log(Log{What: LogBuildCancelled, Gen: b.gen, Took: ev.Took})
		m.again = true
		return
	}
	m.takeBuild(ev, b)
}

// doubtful reports whether a build that failed may have failed by what is put right by now, or by
// the lack of what has come, though no source has changed.
func (s State) doubtful(b building) bool {
	return b.grown || b.headers != s.tree.Headers || b.unlisted != s.tree.Unlisted
}

// takeBuild makes a finished build the one that counts.
func (m *machine) takeBuild(ev Built, b building) {
	m.met = b.asked
	if !ev.Fast { // the next one may not be, and what it takes says nothing of that
		m.buildTook = ev.Took
	}
	saved, spent := m.saved, m.takeSpent()
	m.saved = b.stale
	spent.Build, spent.Link = ev.Took, ev.Link
	if b.stale.IsZero() && !(ev.Err != nil && m.doubtful(b)) {
		b.source = m.tree.Source
	} else {
		m.again = true
	}
	if ev.Err != nil {
		m.built = badBuild{b.inputs, ev.Err, ev.Detail}
		if t, ok := m.trust.(doubted); ok {
			m.trust = refuted(t)
		}
		m.closeRound(resting{})
		m.log(Log{What: LogBuildFailed, Gen: b.gen, Took: ev.Took, Err: ev.Err, Detail: ev.Detail})
		return
	}
	if b.slow != (Refusal{}) {
		ev.Refused = b.slow
	}
	m.built = goodBuild{b.inputs}
	m.countBuild(ev)
	m.builtAnew(ev)
	m.log(Log{What: LogBuildFinished, Gen: b.gen, Took: ev.Took, Fast: ev.Fast, Reason: ev.Refused.Text, Detail: ev.Detail})
	m.takeBinary(ev, b, saved, spent)
}
