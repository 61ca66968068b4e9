package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Error is one problem that a person has to put right in the configuration or
// on the command line. Callers map it to exit code 2.
type Error struct {
	File      string // as shown to the user; "" when no file is at fault
	Line, Col int    // from 1; 0 when the file as a whole is at fault
	Key       string // like "watch.include", or a flag like "--db"; may be empty
	Msg       string // what is wrong
	Nearest   string // the key or value that was probably meant; may be empty
	Next      string // what to do when Nearest is empty; may be empty
}

// Error gives place and problem in one line.
func (e *Error) Error() string { return e.place() + e.Msg }

// place reads "devguard.toml:3:1: ", or is empty.
func (e *Error) place() string {
	switch {
	case e.File == "":
		return ""
	case e.Line == 0:
		return e.File + ": "
	}
	return fmt.Sprintf("%s:%d:%d: ", e.File, e.Line, e.Col)
}

// Hint says what to do next, or is empty.
func (e *Error) Hint() string {
	if e.Nearest != "" {
		return fmt.Sprintf("did you mean %q?", e.Nearest)
	}
	return e.Next
}

// Errors are all problems of one configuration, in the order of the file. It is
// never empty when returned as an error.
type Errors []*Error

// Error gives one line a problem.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Hint gives the hint of each problem, with its place if there are more of them.
func (e Errors) Hint() string {
	var hints []string
	for _, one := range e {
		switch hint := one.Hint(); {
		case hint == "":
		case len(e) == 1:
			return hint
		default:
			hints = append(hints, one.place()+hint)
		}
	}
	return strings.Join(hints, "\n")
}

// Unwrap lets errors.As find a single Error.
func (e Errors) Unwrap() []error {
	all := make([]error, len(e))
	for i, one := range e {
		all[i] = one
	}
	return all
}

// sorted returns e in the order of the file, as an error: nil when e is empty.
func (e Errors) sorted() error {
	if len(e) == 0 {
		return nil
	}
	slices.SortStableFunc(e, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col), cmp.Compare(a.Key, b.Key))
	})
	return e
}
