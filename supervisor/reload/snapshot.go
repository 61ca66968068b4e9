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

// Hold is something that is due but waits.
type Hold struct {
	What   string
	Reason string
}

// Snapshot returns the state as others may see it.
func (s State) Snapshot() Snapshot {
	snap := Snapshot{Gen: s.inst.gen, Phase: s.inst.phase.String(), Doing: s.doing(), Done: s.done(), Err: s.err}
	if r, ok := s.inst.phase.(running); ok {
		snap.PID = r.pid
	}
	for i, h := range s.hooks {
		name := "hook " + s.opts.Hooks[i].Name
		switch {
		case h.held:
			snap.Holds = append(snap.Holds, Hold{name, "git is in the middle of a rebase, merge or bisect"})
		case h.suspended:
			snap.Holds = append(snap.Holds, Hold{name, "it keeps changing its own input"})
		case h.bad:
			snap.Holds = append(snap.Holds, Hold{name, "it failed; it runs again when its files change"})
		}
	}
	if s.built.failed {
		snap.Holds = append(snap.Holds, Hold{"restart", "the last build failed"})
	}
	if !s.inst.retryAt().IsZero() {
		snap.Holds = append(snap.Holds, Hold{"start", "back-off after a crash"})
	}
	return snap
}

func (s State) doing() string {
	switch {
	case s.work.kind == configuring:
		return "configuring"
	case s.work.kind == hooking:
		return "hook " + s.opts.Hooks[s.work.hook].Name
	case s.work.kind == building:
		return "building"
	case !s.burst.Deadline().IsZero():
		return "settling"
	}
	return "idle"
}
