//go:build linux || darwin

package proc

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

func ownGroup() int { return unix.Getpgrp() }

// terminal is the one that is lent to an app, and the modes of both sides: like a shell, whoever
// lends it sets its own again when the app has exited or is stopped, however the app left it. A nil
// terminal is none.
type terminal struct {
	tty   *os.File
	owner int           // the group that lends it: devguard's
	ours  *unix.Termios // what the owner had when it was lent; nil: it has not been lent
	its   *unix.Termios // what the app had when it was stopped; nil: it has not been
}

// newTerminal returns nil when tty is none.
func newTerminal(tty *os.File, owner int) *terminal {
	if _, err := foreground(tty); err != nil {
		return nil
	}
	return &terminal{tty: tty, owner: owner}
}

// foreground is the group that has the terminal.
func foreground(tty *os.File) (group int, err error) {
	return unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
}

// save keeps the owner's modes, if it has the terminal. It comes before the app can change them.
func (t *terminal) save() {
	if t.owned() {
		t.ours, _ = unix.IoctlGetTermios(int(t.tty.Fd()), getTermios) // nil when it has hung up
	}
}

// owned reports whether the owner's group is the foreground group, and not in the background.
func (t *terminal) owned() bool {
	if t == nil {
		return false
	}
	have, err := foreground(t.tty)
	return err == nil && have == t.owner
}

// lend makes the app's group the foreground group, if the owner's is.
func (t *terminal) lend(app int) {
	if !t.owned() || t.ours == nil {
		return
	}
	takeForeground(t.tty, t.owner, app)
	if t.its != nil {
		t.set(t.its)
		t.its = nil
	}
}

// takeBack makes the owner's group the foreground group again, with its own modes. A shell that has
// taken the terminal meanwhile has set what it wants.
func (t *terminal) takeBack(app int) {
	if t == nil || t.ours == nil {
		return
	}
	have, err := foreground(t.tty)
	if err != nil || have != app && have != t.owner && unix.Kill(-have, 0) != unix.ESRCH {
		return
	}
	t.set(t.ours)
	takeForeground(t.tty, app, t.owner)
}

// takeFromStopped is takeBack from an app that will go on with the modes it has.
func (t *terminal) takeFromStopped(app int) {
	if t == nil || t.ours == nil {
		return
	}
	if have, err := foreground(t.tty); err == nil && have == app {
		t.its, _ = unix.IoctlGetTermios(int(t.tty.Fd()), getTermios)
	}
	t.takeBack(app)
}

// set does not wait for what was written before (TCSANOW): at a terminal that is stopped by Ctrl-S
// that would be for ever.
func (t *terminal) set(modes *unix.Termios) {
	fromBackground(func() { _ = unix.IoctlSetTermios(int(t.tty.Fd()), setTermios, modes) }) // fails when it has hung up
}

// takeForeground gives the terminal to group next when group cur has it, or a
// group that no longer exists.
func takeForeground(tty *os.File, cur, next int) {
	have, err := foreground(tty)
	if err != nil || have != cur && unix.Kill(-have, 0) != unix.ESRCH {
		return
	}
	// It fails when the terminal has hung up.
	fromBackground(func() { _ = unix.IoctlSetPointerInt(int(tty.Fd()), unix.TIOCSPGRP, next) })
}

// fromBackground does something to a terminal: a process in the background that does is stopped by
// SIGTTOU unless it ignores it.
func fromBackground(do func()) {
	signal.Ignore(unix.SIGTTOU)
	defer signal.Reset(unix.SIGTTOU)
	do()
}
