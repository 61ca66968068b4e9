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
