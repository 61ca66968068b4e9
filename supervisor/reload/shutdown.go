package reload

// closing says whether and how devguard ends.
type closing int

const (
	open closing = iota
	graceful
	atOnce
)

func (m *machine) interrupted() {
	if m.closing < atOnce {
		m.closing++
	}
	if m.closing == atOnce {
		m.hurry()
	}
}

// shutDown ends what is going on, once each, and says what is waited for.
func (m *machine) shutDown() {
	if m.was == open {
		m.cancelStep()
		m.cancelListing()
	}
	m.next = nothing{}
	m.endInstance()
	m.holdShutdown()
}

func (m *machine) holdShutdown() {
	step, stepping := m.stepWait()
	if stepping {
		m.hold("shutdown", step)
	}
	end, ending := m.changeover()
	if ending {
		m.hold("shutdown", end)
	}
	if !stepping && !ending && m.inFlight > 0 {
		m.hold("shutdown", answersWait)
	}
}

// done reports whether nothing is left to wait for.
func (s State) done() bool {
	return s.closing != open && s.inFlight == 0 && s.inst.gone()
}
