package term

import "golang.org/x/sys/unix"

// The requests of tcgetattr(3) and of tcsetattr(3) with TCSADRAIN: what was
// written before is shown as it was meant.
const (
	getTermios = unix.TCGETS
	setTermios = unix.TCSETSW
)
