//go:build linux || darwin

package proc

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

func ownGroup() int { return unix.Getpgrp() }

// takeForeground gives the terminal to group next when group cur has it, or a
// group that no longer exists.
func takeForeground(tty *os.File, cur, next int) {
	fd := int(tty.Fd())
	have, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
	if err != nil || have != cur && unix.Kill(-have, 0) != unix.ESRCH {
		return
	}
	// A process in the background that does this is stopped by SIGTTOU unless
	// it ignores it.
	signal.Ignore(unix.SIGTTOU)
	defer signal.Reset(unix.SIGTTOU)
	_ = unix.IoctlSetPointerInt(fd, unix.TIOCSPGRP, next) // fails when the terminal has hung up
}
