package reload

import (
	"errors"
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
		quiet  time.Time // since when nothing has changed that a build reads, as far as is known
		builds int       // without the go command, since one was verified
		since  time.Time // when the first of them ended
		vain   int       // how often Verify was cancelled since then
		failed int       // as of doubted
	}

	// verifying: Verify is in flight.
	verifying struct {
		id   ID
		gen  int
		seq  uint64     // Snapshot.Seq at its start
		left unverified // what it verifies
	}

	// leaving: Verify was cancelled and its answer is awaited.
	leaving struct {
		id   ID
		left unverified // goes on to be
	}

	// verified: the newest good binary is what the go command makes; or nothing is built yet.
	verified struct{ failed int } // as of doubted

	// doubted: the go command could not build the newest good binary a second time, or not by the same settings. No build is fast
	// until one by the go command succeeds. One is asked for: it tells the user what is wrong, unless
	// that has passed.
	doubted struct{ failed int } // how often that has passed, since a verification succeeded

	// refuted: what is wrong with it is shown, and stays until a build succeeds.
	refuted struct{ failed int } // as of doubted

	// pointless: no build is fast while what go list reads and the configuration are what they were; so
	// none has to be verified.
	pointless struct{ shape change.Digest }

	// distrusted: the go command has made another program, or verifications fail though the tree builds.
	// Nothing is fast any more.
	distrusted struct{ why Refusal }
)

func (unverified) trust() {}
func (verifying) trust()  {}
func (leaving) trust()    {}
func (verified) trust()   {}
func (doubted) trust()    {}
func (refuted) trust()    {}
func (pointless) trust()  {}
func (distrusted) trust() {}

// quietTime is how long nothing must have changed before a build is verified: whoever saves again
// within seconds, as is usual, is not met by a build that has to be cancelled (a guess). It doubles with
// each one that was: whoever saves all the time has no use for them.
const (
	quietTime   = 2 * time.Second
	maxDoubling = 3
)

// maxFailed is how many verifications may fail though the tree builds: there is too little memory for one,
// or disk, and each costs a build that nobody has asked for.
const maxFailed = 2

// A fast build links what those before it have compiled, so that what one has got wrong goes on until
// it is found. Whoever never pauses for long enough is served by the go command after that many fast
// builds, or that time since the first of them, and until one was verified, which takes a pause of quietTime
// and a build. (a guess: it is met by those who save every few seconds for minutes)
const (
	maxUnverified     = 20
	maxUnverifiedTime = 10 * time.Minute
)

// Verify builds the tree with the go command alone, and compares the program.
type Verify struct {
	ID     ID
	Gen    int           // the generation that the program would become
	Seq    uint64        // Snapshot.Seq; of a tree with another one nobody wants an answer
	Binary change.Digest // of the newest good output
	Path   string        // of that
	ByGo   bool          // the go command has made it
}

// Verified answers Verify.
type Verified struct {
	ID        ID
	Snapshot  change.Snapshot // taken after the build ended
	Binary    change.Digest   // of the go command's output; zero when it has made none, or one with other settings
	Path      string          // of that, when it differs
	Kept      string          // the directory that shows why it differs; "" when Err is that there is none
	Refused   Refusal         // why the next build is not fast whatever is edited
	Lasting   bool            // nor is any other, until what go list reads changes
	Unbuilt   bool            // so that nothing was built: the go command has made what is served
	Cancelled bool
	Err       error // it could not be built, or what differs could not be kept
	Brings    any   // for Adopt
}

func (Verify) effect()  {}
func (Verified) event() {}

// slow returns why a build that begins now must not be fast, and false when it may; the reason is zero
// where the doer knows it.
func (m *machine) slow() (why Refusal, yes bool) {
	if !m.opts.Fast {
		return Refusal{}, true
	}
	switch t := m.trust.(type) {
	case unverified:
		if t.overdue(m.now) {
			return overdue, true
		}
		return Refusal{}, false
	case verified:
		return Refusal{}, false
	case doubted, refuted:
		return notBuiltAgain, true
	case distrusted:
		return t.why, true
	case pointless:
		return Refusal{}, t.shape == m.tree.Shape
	}
	panic("BUG: a build beside the one that verifies")
}

// Why a build must not be fast.
var (
	overdue       = said("none of the last fast builds was verified")
	notBuiltAgain = said("the go command has not built again what is served")
	differed      = Refusal{Kind: "a fast build was not what the go command builds"} // said when that came to light
	neverVerified = Refusal{Kind: "builds that verify fast ones fail, though the tree builds"}
)

// said is a reason that is said with each build.
func said(why string) Refusal { return Refusal{Kind: why, Text: why} }

func (u unverified) overdue(now time.Time) bool {
	return u.builds >= maxUnverified || u.builds > 0 && now.Sub(u.since) >= maxUnverifiedTime
}

// builtAnew leaves the newest binary to be verified, unless builds are not fast.
func (m *machine) builtAnew(ev Built) {
	switch t := m.trust.(type) {
	case unverified:
		m.trust = m.toVerify(t, ev)
	case verified:
		m.trust = m.toVerify(unverified{failed: t.failed}, ev)
	case doubted:
		m.trust = m.undoubted(t)
	case refuted:
		m.trust = verified(t) // made by the go command
	case pointless:
		if t.shape != m.tree.Shape {
			m.trust = m.toVerify(unverified{}, ev)
		}
	case verifying, leaving:
		panic("BUG: two builds")
	}
}

// undoubted returns what a good build by the go command says of one that has failed in the background.
func (m *machine) undoubted(t doubted) trust {
	if t.failed++; t.failed < maxFailed || !m.opts.Fast {
		return verified(t)
	}
	m.warn(errNeverVerified)
	return distrusted{neverVerified}
}

var errNeverVerified = errors.New("the go command builds everything until devguard is started again: the builds that verify fast ones fail, or make another program each time, though the tree builds")

// toVerify returns what is left to verify after another build.
func (m *machine) toVerify(left unverified, ev Built) trust {
	switch {
	case !m.opts.Fast:
		return verified{} // made by the go command
	case ev.Lasting:
		return pointless{m.tree.Shape} // likewise
	}
	left.quiet = m.now
	if ev.Fast {
		if left.builds == 0 {
			left.since = m.now
		}
		left.builds++
	}
	return left
}

// disturb puts off what is to be verified: something has changed that a build reads.
func (m *machine) disturb() {
	switch t := m.trust.(type) {
	case unverified:
		t.quiet = m.now
		m.trust = t
	case verifying:
		m.leaveVerify(t)
	}
}

func (m *machine) leaveVerify(v verifying) {
	v.left.vain++
	m.trust = leaving{v.id, v.left}
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
	return v.quiet.Add(v.pause())
}

// pause is how long it has to be quiet.
func (u unverified) pause() time.Duration {
	if u.overdue(u.quiet) { // there are no fast builds until it is done
		return quietTime
	}
	return quietTime << min(u.vain, maxDoubling)
}

// verify starts what is due.
func (m *machine) verify() {
	at := m.verifyAt()
	if at.IsZero() || m.now.Before(at) {
		return
	}
	left, ok := m.trust.(unverified)
	if !ok {
		panic("BUG: nothing to verify")
	}
	gen := m.nextGen()
	id := m.issue(func(id ID) Effect {
		return Verify{id, gen, m.tree.Seq, m.binary.digest, m.binary.path, left.builds == 0}
	})
	m.trust = verifying{id, gen, m.tree.Seq, left}
}

// verifyDone takes the answer, unless it is of another tree than was built.
func (m *machine) verifyDone(ev Verified) {
	m.observe(ev.Snapshot)
	switch t := m.trust.(type) {
	case leaving:
		t.left.quiet = m.now
		m.trust = t.left
	case verifying:
		if ev.Cancelled || m.tree.Seq != t.seq || m.buildDue() {
			t.left.quiet = m.now
			t.left.vain++
			m.trust = t.left
			return
		}
		m.adopt(ev.Brings)
		m.takeVerified(ev, t)
	default:
		panic("BUG: an answer of a build that nobody asked for")
	}
}

// takeVerified judges by the program, if there is one: a program that differs takes the place of the one
// that is served, whatever has gone wrong besides.
func (m *machine) takeVerified(ev Verified, v verifying) {
	if ev.Err != nil {
		m.warn(ev.Err)
	}
	if ev.Unbuilt {
		m.trust = pointless{m.tree.Shape}
		m.log(Log{What: LogBuildByGo, Gen: m.binary.gen, Reason: ev.Refused.Text})
		return
	}
	switch ev.Binary {
	case change.Digest{}:
		m.trust = doubted{v.left.failed}
		m.asked++
		m.again = true
	case m.binary.digest:
		m.builds.Verified++
		m.trust = verified{}
		if ev.Lasting {
			m.trust = pointless{m.tree.Shape}
		}
		m.log(Log{What: LogBuildVerified, Gen: m.binary.gen, Reason: ev.Refused.Text})
	default:
		m.builds.Differed++
		m.trust = distrusted{differed}
		m.log(Log{What: LogBuildDiffers, Gen: v.gen, Reason: ev.Kept})
		m.binary = binary{path: ev.Path, gen: v.gen, digest: ev.Binary, version: m.binary.version}
		m.owe(time.Time{}, Parts{}, m.binary.version)
	}
}
