package reload

// Snapshot is what others may see of the state: immutable, for status and
// tests.
type Snapshot struct {
	Gen   int    // newest generation started
	PID   int    // of the running generation, else 0
	Phase string // of the instance: none, exited, crashed, failed, starting, running, stopping, draining
	Doing string // what the round does: idle, settling, configuring, hook NAME, building
	Holds []Hold // what waits, and for what
	Done  bool   // nothing is left: the loop may end
	Err   error  // why devguard ended by itself; nil when the user wished it
}

// Snapshot returns the state as others may see it.
func (s State) Snapshot() Snapshot {
	snap := Snapshot{Gen: s.inst.gen, Phase: s.inst.phase.String(), Doing: s.doing(), Holds: s.holds, Done: s.done(), Err: s.err}
	if r, ok := s.inst.phase.(running); ok {
		snap.PID = r.pid
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
