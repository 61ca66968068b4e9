package term

import (
	"errors"
	"os"

	"golang.org/x/term"
)

// ErrNoTerminal is returned by Open for a file that is no terminal, or not the
// one that controls this process: its keys are for somebody else.
var ErrNoTerminal = errors.New("not this process's terminal")

// IsTerminal reports whether f is a terminal.
func IsTerminal(f *os.File) bool { return f != nil && term.IsTerminal(int(f.Fd())) }

// Width returns the columns of the terminal, or 0 when it does not say.
func Width(f *os.File) int {
	if f == nil {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}
