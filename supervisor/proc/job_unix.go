//go:build linux || darwin

package proc

import "golang.org/x/sys/unix"

// job is what job control has made of the app's main process, and what each event makes of it:
//
//	             suspend     seen stopped  seen continued  continue
//	runs         suspending  stopped       -               -
//	suspending   -           stopped       -               runs
//	stopped      -           -             runs            runs
type job int

const (
	runs       job = iota
	suspending     // devguard has asked for it, and the app still runs
	stopped
)

// suspend is Ctrl-Z for the app. What is stopped already is so.
func (g *guard) suspend() {
	switch {
	case !g.phase.appRuns():
	case g.app.job == stopped:
		g.say(event{Op: opSuspended})
	case g.app.job == runs:
		g.app.job = suspending
		g.signal(int(unix.SIGTSTP))
	}
}

// goOn continues the app, which gets the terminal if devguard has it.
func (g *guard) goOn() {
	if !g.phase.appRuns() {
		return
	}
	g.app.job = runs
	g.app.terminal.save()
	g.app.terminal.lend(g.app.pid)
	g.signal(int(unix.SIGCONT))
}

// seen takes a stop or a continuation of the app into account, as wait4 tells it.
func (g *guard) seen(ws unix.WaitStatus) {
	before := g.app.job
	switch {
	case ws.Continued() && before == stopped:
		g.app.job = runs // by somebody else's SIGCONT
	case ws.Stopped() && before != stopped:
		g.app.job = stopped
		g.app.terminal.takeFromStopped(g.app.pid)
		if before == suspending {
			g.say(event{Op: opSuspended})
		} else if g.app.terminal != nil {
			g.say(event{Op: opStopped})
		}
	}
}
