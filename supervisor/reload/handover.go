package reload

import "time"

// Here the round and the instance meet: the round brings a binary or a reason to
// restart, the instance is what runs. No other file looks at both.

// next is the generation to come: one of the types below.
type next interface{ next() }

type (
	// nothing: no other generation is due.
	nothing struct{}

	// due: stop what runs, drain, start.
	due struct {
		saved   time.Time // the save that it serves; zero if none
		spent   Parts     // for that, until it was due
		version uint64    // Snapshot.Version of the tree that it stands for
	}

	// refused: it cannot be started. What runs goes on, and the next change asks
	// again.
	refused struct {
		version uint64
		err     error
	}
)

func (nothing) next() {}
func (due) next()     {}
func (refused) next() {}

// cause is why a restart is owed whatever the digests say. Of two the greater
// counts.
type cause int

const (
	noCause      cause = iota
	afterMixture       // mixed.go
	afterMigration
	afterRemoval // of the binary
	askedFor     // then = restart, key r, Replace
)

func (c cause) String() string {
	return [...]string{"nothing", "files changed while the app started", "a migration ran", "the binary was removed", "asked for"}[c]
}

// oweRestart has the next start come although the digests may be the same.
func (m *machine) oweRestart(c cause) { m.owed = max(m.owed, c) }

// newSettings has the app started by them. When they are the same to it only one that is gone is: what
// it failed by may be mended.
func (m *machine) newSettings(same bool) {
	if same && !m.inst.gone() {
		return
	}
	m.uncheck()
	m.oweRestart(askedFor)
}

// restartDue reports whether a generation is due.
func (s State) restartDue() bool {
	_, ok := s.next.(due)
	return ok
}

// owe makes a generation due; saved is the save that it serves, spent what was done for that, version
// that of the tree that it stands for. The one that is due already keeps the older save.
func (m *machine) owe(saved time.Time, spent Parts, version uint64) {
	d, _ := m.next.(due)
	d.spent = d.spent.and(spent)
	if d.saved.IsZero() {
		d.saved = saved
	}
	d.version = max(d.version, version)
	m.next = d
}

// refuse keeps what runs: the due generation cannot be started.
func (m *machine) refuse(err error) {
	gen := m.startGen()
	d, _ := m.next.(due)
	m.next = refused{d.version, err}
	m.log(Log{What: LogRestartRefused, Gen: gen, Err: err})
	m.refresh()
}

// rebuild has the program that was to be started built again, because somebody has
// removed it.
func (m *machine) rebuild() {
	if d, ok := m.next.(due); ok && m.saved.IsZero() {
		m.saved, m.spent = d.saved, d.spent
	}
	m.next = nothing{}
	m.binary = binary{}
	m.oweRestart(afterRemoval)
	m.asked++
	m.again, m.broken = true, ""
}

// unbuilt reports whether there is no program to start.
func (s State) unbuilt() bool { return !s.opts.Command && s.binary.path == "" }

// takeBinary decides whether a good build is worth a restart.
func (m *machine) takeBinary(ev Built, b building, saved time.Time, spent Parts) {
	same := ev.Binary == m.binary.digest && m.binary.path != ""
	switch {
	case same:
	case ev.Path == "": // it made nothing, for the sake of a binary that was removed meanwhile
		m.asked++
		m.again = true
		if m.saved.IsZero() {
			m.saved, m.spent = saved, spent
		}
		return
	default:
		m.binary = binary{path: ev.Path, gen: b.gen, digest: ev.Binary}
	}
	m.binary.version = b.version
	if reason, ok := m.restartReason(saved); ok {
		m.owe(saved, spent, b.version)
	} else if same {
		m.log(Log{What: LogRestartSkipped, Gen: b.gen, Reason: reason})
	}
}

// takeRound decides whether what is not built asks for a restart.
func (m *machine) takeRound() {
	if _, bad := m.built.(badBuild); bad {
		return
	}
	var version uint64
	if m.listedNow() {
		version = m.tree.Version // all that it asks for is done, but for hooks that wait
	}
	_, differs := m.restartReason(m.saved)
	switch d, isDue := m.next.(due); {
	case isDue:
		d.spent = d.spent.and(m.takeSpent())
		d.version = max(d.version, version)
		m.next = d
	case differs:
		m.settled()
		m.owe(m.saved, m.takeSpent(), version)
	default:
		m.next = nothing{} // also if one was refused: what asked for it is gone
	}
}

// catchUp has what runs stand for the tree as it is, once that asks for nothing. Hooks
// that wait are not looked at.
func (m *machine) catchUp() {
	atRest := !m.round.open() && !m.again && !m.settling()
	asks := m.configDue() || !m.listedNow() || m.buildDue() || m.restartDue() || m.restartWanted()
	if atRest && !asks && m.serving() {
		m.inst.version = m.tree.Version
	}
}

// restartReason compares the running generation with what there is; saved is
// the save that asks. With false the text says why no restart is due.
func (m *machine) restartReason(saved time.Time) (string, bool) {
	switch {
	case m.unbuilt():
		return "nothing is built yet", false
	case m.inst.gen == 0:
		return "nothing was started yet", true
	case !m.serving() && !saved.IsZero():
		return "nothing is running", true
	case m.owed != noCause:
		return m.owed.String(), true
	case m.inst.made.binary != m.binary.digest:
		return "the program changed", true
	case m.inst.made.runtime != m.tree.Runtime:
		return "files read at run time changed", true
	case m.inst.made.env != m.tree.Env:
		return "an env file changed", true
	}
	return "the build produced the same program", false
}

// serving reports whether there is a generation that goes on unless it is
// replaced.
func (s State) serving() bool {
	switch s.inst.phase.(type) {
	case starting, aborting, running:
		return true
	}
	return false
}

// advanceInstance brings the instance towards what is due, and says what waits;
// roundWait is what the round waits for.
func (m *machine) advanceInstance(roundWait wait) {
	switch p := m.inst.phase.(type) {
	case running:
		m.advanceRunning(p, roundWait)
	case gap:
		m.advanceGap(p, roundWait)
	case starting, aborting:
		m.holdRestart(roundWait)
	default:
		end, _ := m.changeover()
		m.hold("start", end)
	}
}

// advanceRunning looks whether the due generation can be started; the stop of what
// runs follows from that.
func (m *machine) advanceRunning(r running, roundWait wait) {
	if !m.restartDue() || m.inHook() {
		m.holdRestart(roundWait)
		return
	}
	gen := m.startGen()
	if r.check == 0 {
		m.check(gen, m.binary.path)
	}
	m.hold("restart", checkWait(gen))
}

// advanceGap starts the due generation, or one that crashed, when that overlaps
// nothing: not a hook, and, unless something new is ready, not a step that may bring
// that.
func (m *machine) advanceGap(g gap, roundWait wait) {
	retry := m.crashRetry()
	switch {
	case m.restartDue() && m.inHook():
		m.hold("start", roundWait)
	case m.restartDue():
		m.launch()
		m.holdRestart(roundWait)
	case retry.IsZero():
		m.hold("start", gapWait(g, roundWait))
	case m.round.step() != 0:
		m.hold("start", roundWait)
	case m.now.Before(retry):
		m.hold("start", backOffWait)
	default:
		m.launch()
		m.holdRestart(roundWait)
	}
}

// gapWait returns what the next start waits for while none is due: the round or,
// when that is over, a change.
func gapWait(g gap, roundWait wait) wait {
	if roundWait.kind != AfterChange {
		return roundWait
	}
	switch g.(type) {
	case crashed:
		return crashWait
	case exited:
		return exitWait
	case startFailed:
		return badStartWait
	}
	return roundWait
}

// holdRestart says what the replacement of the generation that runs, or starts, waits
// for.
func (m *machine) holdRestart(roundWait wait) {
	start, isStarting := m.changeover()
	_, isRefused := m.next.(refused)
	switch {
	case m.restartDue() && isStarting:
		roundWait = start
	case !m.restartDue() && !m.restartWanted():
		return
	case isRefused && roundWait.kind == AfterChange:
		roundWait = refusedWait
	}
	m.hold("restart", roundWait)
}

// restartWanted reports whether what runs is not what there is: because that is not
// due yet, or because it cannot be built or started.
func (m *machine) restartWanted() bool {
	_, bad := m.built.(badBuild)
	_, differs := m.restartReason(m.saved)
	return bad || differs
}

// retryAt returns when a generation that crashed is started again; zero for never, or
// for not before what goes on has ended.
func (s State) retryAt() time.Time {
	busy := s.round.step() != 0
	if s.restartDue() {
		busy = s.inHook()
	}
	if busy {
		return time.Time{}
	}
	return s.crashRetry()
}

// crashRetry returns when a generation that crashed may be started again; zero for
// never.
func (s State) crashRetry() time.Time {
	if s.unbuilt() {
		return time.Time{}
	}
	return s.inst.retryAt()
}

// replacing returns what a hook waits for while the instance is being stopped, started or
// replaced: a hook never overlaps these.
func (s State) replacing() (wait, bool) {
	if s.restartDue() && s.inst.alone() {
		return restartWait, true
	}
	return s.changeover()
}

// launch starts what there is.
func (m *machine) launch() {
	d, _ := m.next.(due)
	if m.inst.gen == 0 {
		d.saved, d.spent.Settle = time.Time{}, 0 // what a hook wrote since the start of devguard is no save
	}
	if before, ok := m.inst.phase.(stopped); ok {
		d.spent.Stop, d.spent.Drain = before.stop, before.drain
	}
	g := generation{
		gen: m.startGen(), from: m.binary.gen, saved: d.saved, spent: d.spent,
		made:     made{m.binary.digest, m.tree.Runtime, m.tree.Env},
		version:  max(m.inst.version, m.binary.version, d.version),
		launched: m.now, begun: m.now,
	}
	m.countRestart()
	m.fetch()
	m.next = nothing{}
	m.owed = noCause
	m.start(g, m.binary.path)
}

// startGen is the generation that a start now begins.
func (m *machine) startGen() int { return max(m.inst.gen+1, m.binary.gen) }

// nextGen is the generation that work begun now would lead to.
func (m *machine) nextGen() int {
	g := max(m.inst.gen, m.binary.gen)
	if m.restartDue() && m.binary.gen <= m.inst.gen {
		g++ // a restart without a build comes first
	}
	return g + 1
}

// binariesInUse are the generations whose binaries are still of use: that of the
// one that runs, and the newest good one.
func (s State) binariesInUse() [2]int { return [2]int{s.inst.from, s.binary.gen} }

// atFirst reports whether nothing was ever built or, of a command, started.
func (s State) atFirst() bool {
	return s.built == (noBuild{}) && !(s.opts.Command && s.inst.gen > 0)
}

// hopeless reports whether there is nothing that could go on: no build was ever made,
// nothing runs, and nothing is going to be started.
func (s State) hopeless() bool {
	return s.built == (noBuild{}) && s.inst.gone() && s.inst.retryAt().IsZero()
}
