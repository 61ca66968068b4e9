package reload

// Snapshot is what others may see of the state: immutable, for status and
// tests. The versions are those of change.Snapshot.
type Snapshot struct {
	Version uint64 // of the tree as it is known

	Doing string // what the round does: idle, settling, configuring, hook NAME, building
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
	Ready      bool   // it runs and was found ready

	Holds    []Hold    // what is due and waits
	Failures []Failure // what has failed and has not succeeded since

	Done bool  // nothing is left: the loop may end
	Err  error // why devguard ended by itself; nil when the user wished it
}

// Failure is what came of the last try of something.
type Failure struct {
	What    string // configuration, hook NAME, build, start
	Version uint64 // of the tree that it was tried with
	Err     error
	Detail  any // of the event that brought it
}

// Snapshot returns the state as others may see it.
func (s State) Snapshot() Snapshot {
	snap := Snapshot{
		Version: s.tree.Version, Doing: s.doing(),
		Gen: s.inst.gen, GenVersion: s.inst.version, Phase: s.inst.phase.String(),
		Holds: s.holds, Failures: s.failures(),
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
	if r, ok := s.next.(refused); ok {
		all = append(all, Failure{What: "start", Version: r.version, Err: r.err})
	}
	return all
}
