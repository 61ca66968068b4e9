package reload

import "time"

// closing says whether and how devguard ends: one of the types below, with what is known in that
// state alone.
type closing interface{ closing() }

type (
	// open: it does not.
	open struct{}

	// graceful: the app has its grace.
	graceful struct {
		pressed time.Time // the interrupt that asked for it; zero: none did
	}

	// atOnce: nothing is waited for.
	atOnce struct {
		pressed time.Time // the second interrupt
	}
)

func (open) closing()     {}
func (graceful) closing() {}
func (atOnce) closing()   {}

// onePress is how long after an interrupt another one is taken for its echo. Whoever starts
// devguard passes on the Ctrl-C that the terminal has already sent to all of the foreground group:
// npm within milliseconds; concurrently after it has listed the process tree with one ps for each
// level, which took 0.48 s on a machine with load 18 (measured). A person who presses again because
// the app has not ended takes longer (a guess).
const onePress = 500 * time.Millisecond

// isOpen reports whether devguard goes on.
func (s State) isOpen() bool { return s.closing == open{} }

// interrupted takes one interrupt into account: the first asks, the second is for those who do not
// want to wait any longer.
func (m *machine) interrupted() {
	switch c := m.closing.(type) {
	case open:
		m.closing = graceful{pressed: m.now}
	case graceful:
		if !m.echo(c.pressed) {
			m.closing = atOnce{pressed: m.now}
			m.hurry()
		}
	case atOnce:
		if !m.echo(c.pressed) {
			m.hurry()
		}
	}
}

// echo reports whether an interrupt that comes now is one with that of before.
func (m *machine) echo(pressed time.Time) bool { return m.now.Sub(pressed) < onePress }

// shutDown ends what is going on, once each, and says what is waited for.
func (m *machine) shutDown() {
	if m.was == (open{}) {
		m.cancelStep()
		m.cancelListing()
		m.disturb()
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
	return !s.isOpen() && s.inFlight == 0 && s.inst.gone()
}
