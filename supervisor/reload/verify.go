package reload

import (
	"time"

	"github.com/devguard/devguard/supervisor/change"
)

// What was built without the go command is verified once it is quiet: the go command builds the same
// tree, and the programs are compared. That build also brings what the next fast one needs. It has the
// least priority, and everything of the round comes first: it is cancelled, and awaited, before a step
// begins, so that there are never two builds.

// trust says whether builds may be fast where Options.Fast allows it, and what is left to verify: one of
// the types below, with what is known in that state alone.
type trust interface{ trust() }

type (
	// unverified: the newest good binary has not been built a second time.
	unverified struct {
		since time.Time // nothing has changed, as far as is known
	}

	// verifying: Verify is in flight.
	verifying struct {
		id  ID
		gen int
		seq uint64 // Snapshot.Seq at its start
	}

	// leaving: Verify was cancelled and its answer is awaited.
	leaving struct{ id ID }

	// verified: the go command has made the same program, or cannot make one; or nothing is built yet.
	verified struct{}

	// pointless: no build is fast while what go list reads and the configuration are what they were; so
	// none has to be verified.
	pointless struct{ shape change.Digest }

	// distrusted: it has made another one. Nothing is fast any more.
	distrusted struct{}
)

func (unverified) trust() {}
func (verifying) trust()  {}
func (leaving) trust()    {}
func (verified) trust()   {}
func (pointless) trust()  {}
func (distrusted) trust() {}

// quietTime is how long nothing must have changed before a build is verified: whoever saves again
// within seconds, as is usual, is not met by a build that has to be cancelled (a guess).
const quietTime = 2 * time.Second

// Verify builds the tree with the go command alone, and compares the program.
type Verify struct {
	ID     ID
	Gen    int           // the generation that the program would become
	Binary change.Digest // of the newest good output
	Path   string        // of that
}

// Verified answers Verify.
type Verified struct {
	ID        ID
	Snapshot  change.Snapshot // taken after the build ended
	Binary    change.Digest   // of the go command's output; zero when it has made none
	Path      string          // of that, when it differs
	Kept      string          // the directory that shows why it differs
	Refused   Refusal         // why the next build is not fast whatever is edited
	Lasting   bool            // nor is any other, until what go list reads changes
	Cancelled bool
	Err       error // it could not be built
	Brings    any   // for Adopt
}

func (Verify) effect()  {}
func (Verified) event() {}

// fast reports whether a build that begins now may be fast.
func (s State) fast() bool {
	switch s.trust.(type) {
	case unverified, verified:
		return s.opts.Fast
	}
	return false
}

// builtAnew leaves the newest binary to be verified, unless builds are not fast.
func (m *machine) builtAnew() {
	var left trust = verified{} // made by the go command
	if m.opts.Fast {
		left = unverified{m.now}
	}
	switch t := m.trust.(type) {
	case unverified, verified:
		m.trust = left
	case pointless:
		if t.shape != m.tree.Shape {
			m.trust = left
		}
	case verifying, leaving:
		panic("BUG: two builds")
	}
}

// disturb puts off what is to be verified: something has changed.
func (m *machine) disturb() {
	switch v := m.trust.(type) {
	case unverified:
		m.trust = unverified{m.now}
	case verifying:
		m.leaveVerify(v)
	}
}

func (m *machine) leaveVerify(v verifying) {
	m.trust = leaving{v.id}
	m.cancel(v.id)
}

// verifyWait returns what a hook or build that is due waits for while Verify is in flight, and has that
// end.
func (m *machine) verifyWait(due bool) (wait, bool) {
	if !due {
		return wait{}, false
	}
	switch v := m.trust.(type) {
	case verifying:
		m.leaveVerify(v)
		return leavingWait, true
	case leaving:
		return leavingWait, true
	}
	return wait{}, false
}

// verifyAt returns when the newest binary is due to be verified; zero for not before something else
// has happened.
func (s State) verifyAt() time.Time {
	v, ok := s.trust.(unverified)
	_, good := s.built.(goodBuild)
	if !ok || !good || !s.opts.Fast || s.rest() != AtRest || s.unbuilt() || s.buildDue() || !s.listedNow() {
		return time.Time{}
	}
	return v.since.Add(quietTime)
}

// verify starts what is due.
func (m *machine) verify() {
	at := m.verifyAt()
	if at.IsZero() || m.now.Before(at) {
		return
	}
	gen := m.nextGen()
	id := m.issue(func(id ID) Effect { return Verify{id, gen, m.binary.digest, m.binary.path} })
	m.trust = verifying{id, gen, m.tree.Seq}
}

// verifyDone takes the answer: a program that differs takes the place of the one that is served.
func (m *machine) verifyDone(ev Verified) {
	v, current := m.trust.(verifying)
	m.trust = unverified{m.now}
	m.adopt(ev.Brings)
	m.observe(ev.Snapshot)
	if !current || ev.Cancelled || m.tree.Seq != v.seq || m.buildDue() {
		return
	}
	switch {
	case ev.Err != nil:
		m.trust = verified{}
		m.warn(ev.Err)
	case ev.Binary == m.binary.digest:
		m.builds.Verified++
		m.trust = verified{}
		if ev.Lasting {
			m.trust = pointless{m.tree.Shape}
		}
		m.log(Log{What: LogBuildVerified, Gen: m.binary.gen, Reason: ev.Refused.Text})
	default:
		m.builds.Differed++
		m.trust = distrusted{}
		m.log(Log{What: LogBuildDiffers, Gen: v.gen, Reason: ev.Kept})
		m.binary = binary{path: ev.Path, gen: v.gen, digest: ev.Binary, version: m.binary.version}
		m.owe(time.Time{}, Parts{}, m.binary.version)
	}
}
