package reload

// Snapshot is what others may see of the state: immutable, for status and
// tests. The versions are those of change.Snapshot.
type Snapshot struct {
	Version uint64 // of the tree as it is known

	Command bool   // an arbitrary command: nothing is built, and it may end when it is done
	Doing   string // what the round does: idle, settling, configuring, hook NAME, building
	Rest    Rest   // whether anything goes on by itself
	// Building is that of the tree which the build in flight began with, also one that
	// was cancelled and has not ended; 0: none is.
	Building uint64

	Gen int // newest generation started
	// GenVersion is that of the tree which the generation stands for: all that it was
	// built from and started with is of that tree or of a newer one. It grows while the
	// generation runs and the tree asks for nothing else. Hooks that wait, or have
	// failed, are not looked at.
	GenVersion uint64
	PID        int    // of the running generation, else 0
	Phase      string // none, exited, crashed, failed, starting, running, stopping, draining
	Crashes    int    // in a row, before the generation had lived for long or something was saved
	Ready      bool   // it runs and was found ready

	Fast   bool // builds may be fast; Builds counts them
	Builds Builds

	Hooks    []HookStatus // in the order of devguard.toml
	Holds    []Hold       // what is due and waits
	Failures []Failure    // what has failed and has not succeeded since

	Done bool  // nothing is left: the loop may end
	Err  error // why devguard ended by itself; nil when the user wished it
}

// Failure is what came of the last try of something.
type Failure struct {
	What    string // configuration, hook NAME, build, start, ready
	Version uint64 // of the tree that it was tried with
	Err     error
	Detail  any // of the event that brought it
}

// Rest says whether anything goes on that may still change what is served.
type Rest string

// The kinds of rest.
const (
	AtWork   Rest = "work"     // with the tree: changes come in, packages are listed, a hook or build runs
	Handover Rest = "handover" // the tree is done with, a generation is being replaced, started or awaited
	AtRest   Rest = "rest"     // nothing, until the next change, wish or retry after a crash
)

// HookStatus is how one hook stands.
type HookStatus struct {
	Name  string
	State string // ok, due, running, held, failed, suspended
}

// Snapshot returns the state as others may see it.
func (s State) Snapshot() Snapshot {
	snap := Snapshot{
		Version: s.tree.Version, Command: s.opts.Command, Doing: s.doing(), Rest: s.rest(),
		Gen: s.inst.gen, GenVersion: s.inst.version, Phase: s.inst.phase.String(), Crashes: s.inst.crashes,
		Fast: s.opts.Fast, Builds: s.builds,
		Hooks: s.hookStatus(), Holds: s.holds, Failures: s.failures(),
		Done: s.done(), Err: s.err,
	}
	if b, ok := s.inBuild(); ok {
		snap.Building = b.version
	}
	if r, ok := s.inst.phase.(running); ok {
		snap.PID, snap.Ready = r.pid, !r.readySince.IsZero()
	}
	return snap
}

func (s State) doing() string {
	switch r := s.round.(type) {
	case configuring:
		return "configuring"
	case hooking:
		return "hook " + s.opts.Hooks[r.hook].Name
	case building, cancelling:
		return "building"
	}
	if s.settling() {
		return "settling"
	}
	return "idle"
}

func (s State) rest() Rest {
	if s.round.open() || s.again || s.settling() || s.graph.listing != 0 {
		return AtWork
	}
	if s.restartDue() {
		return Handover
	}
	switch p := s.inst.phase.(type) {
	case gap:
		return AtRest
	case running:
		if p.judged() && p.check == 0 {
			return AtRest
		}
	}
	return Handover
}

func (s State) hookStatus() []HookStatus {
	all := make([]HookStatus, len(s.hooks))
	for i := range s.hooks {
		all[i] = HookStatus{s.opts.Hooks[i].Name, s.hookState(i)}
	}
	return all
}

func (s State) hookState(i int) string {
	if r, ok := s.round.(hooking); ok && r.hook == i {
		return "running"
	}
	switch s.hooks[i].state.(type) {
	case suspended:
		return "suspended"
	case failed:
		return "failed"
	}
	switch {
	case !s.graph.known() || !s.hookWanted(i):
		return "ok"
	case s.waitsForGit(i):
		return "held"
	}
	return "due"
}

func (s State) failures() (all []Failure) {
	if c := s.config; c.err != nil {
		all = append(all, Failure{What: "configuration", Version: c.version, Err: c.err})
	}
	for i, h := range s.hooks {
		if f, ok := h.state.(failed); ok {
			all = append(all, Failure{"hook " + s.opts.Hooks[i].Name, f.version, f.err, f.detail})
		}
	}
	if b, ok := s.built.(badBuild); ok {
		all = append(all, Failure{"build", b.version, b.err, b.detail})
	}
	if f, ok := s.inst.phase.(startFailed); ok {
		all = append(all, Failure{What: "start", Version: s.inst.version, Err: f.err})
	}
	if r, ok := s.inst.phase.(running); ok && r.notReady != nil {
		all = append(all, Failure{What: "ready", Version: s.inst.version, Err: r.notReady})
	}
	if r, ok := s.next.(refused); ok {
		all = append(all, Failure{What: "start", Version: r.version, Err: r.err})
	}
	return all
}
