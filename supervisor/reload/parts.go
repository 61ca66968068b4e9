package reload

import "time"

// Parts are how long the steps took that have led to a generation. Zero: it did not happen, or cannot
// be told. In none of them are builds that were cancelled, the look whether the next generation can be
// started, and what a step waited for.
type Parts struct {
	Settle time.Duration // from the save until the first hook, build or restart for it
	Hooks  time.Duration // all hooks that ran for it
	Build  time.Duration // the build that has made the program
	Link   time.Duration // of Build, since the linker began
	Stop   time.Duration // from the wish to stop the generation before until its processes were gone
	Drain  time.Duration // from then until its database was drained
	Start  time.Duration // from the start until it was ready
}

// and adds what was done for a newer save: the program is that of the newer build.
func (p Parts) and(newer Parts) Parts {
	if p.Settle == 0 {
		p.Settle = newer.Settle
	}
	p.Hooks += newer.Hooks
	if newer.Build > 0 {
		p.Build, p.Link = newer.Build, newer.Link
	}
	return p
}

// lasted is how long something has gone on: more than nothing, as it has happened.
func (m *machine) lasted(since time.Time) time.Duration { return max(m.now.Sub(since), 1) }

// settled ends the first part of what is done for a save.
func (m *machine) settled() {
	if m.spent.Settle == 0 && !m.saved.IsZero() {
		m.spent.Settle = m.lasted(m.saved)
	}
}

// takeSpent returns what was done for a save, which counts for what it has led to alone.
func (m *machine) takeSpent() Parts {
	spent := m.spent
	m.spent = Parts{}
	return spent
}
