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
	Hint      string // what to do next; may be empty
}

// Error gives place, problem and remedy in one line.
func (e *Error) Error() string {
	var b strings.Builder
	switch {
	case e.File != "" && e.Line > 0:
		fmt.Fprintf(&b, "%s:%d:%d: ", e.File, e.Line, e.Col)
	case e.File != "":
		fmt.Fprintf(&b, "%s: ", e.File)
	}
	b.WriteString(e.Msg)
	if e.Nearest != "" {
		fmt.Fprintf(&b, "; did you mean %q?", e.Nearest)
	} else if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	return b.String()
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
