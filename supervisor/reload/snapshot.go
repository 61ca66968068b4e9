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
		switch h.state.(type) {
		case suspended:
			snap.Holds = append(snap.Holds, Hold{name, "it keeps changing its own input"})
		case failed:
			snap.Holds = append(snap.Holds, Hold{name, "it failed; it runs again when its files change"})
		}
		if h.held {
			snap.Holds = append(snap.Holds, Hold{name, "git is in the middle of a rebase, merge or bisect"})
		}
	}
	if _, bad := s.built.(badBuild); bad {
		snap.Holds = append(snap.Holds, Hold{"restart", "the last build failed"})
	}
	if !s.inst.retryAt().IsZero() {
		snap.Holds = append(snap.Holds, Hold{"start", "back-off after a crash"})
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
