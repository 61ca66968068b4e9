//go:build linux || darwin

package proc

// phase is where a guardian stands, and what each event makes of it:
//
//	           stop      kill      app reaped  group gone  tree gone
//	idle       -         over      BUG         -           -
//	serving    stopping  killing   sweeping    -           -
//	stopping   -         killing   lingering   -           -
//	lingering  -         sweeping  BUG         sweeping    -
//	killing    -         -         sweeping    -           -
//	sweeping   -         -         BUG         -           over
//
// A start makes serving of idle. The death of devguard or of the warden is a kill.
type phase int

const (
	idle      phase = iota // there is no app yet
	serving                // the app runs, and nobody has asked it to end
	stopping               // it was asked to, and still runs
	lingering              // it has ended, and the rest of its group may take its time
	killing                // everything is killed, the app too, which is not reaped yet
	sweeping               // the app is reaped, everything else is killed
	over                   // nothing is left
)

// appRuns reports whether the app is there to be signalled: it is not reaped,
// so neither its pid nor its group can be anybody else's.
func (p phase) appRuns() bool { return p == serving || p == stopping || p == killing }

// kills reports whether everything there is has to go.
func (p phase) kills() bool { return p == killing || p == sweeping }

// stop is the phase after devguard asked for the app's end.
func (p phase) stop() phase {
	if p == serving {
		return stopping
	}
	return p
}

// kill is the phase after everything was told to go at once.
func (p phase) kill() phase {
	switch p {
	case idle:
		return over
	case serving, stopping:
		return killing
	case lingering:
		return sweeping
	}
	return p
}

// reaped is the phase after the app's status was taken. One that ended without
// having been asked leaves nothing worth waiting for.
func (p phase) reaped() phase {
	switch p {
	case stopping:
		return lingering
	case serving, killing:
		return sweeping
	}
	panic("BUG: the app was reaped twice, or never started")
}
