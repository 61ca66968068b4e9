package main

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

// stage lets pgtest start its servers outside a test: what it asks of a
// testing.TB, and nothing else of one.
type stage struct {
	testing.TB
	cleanups []func()
	failed   error
}

// failure is what a Fatalf panics with; close makes an error of it.
type failure struct{ error }

func (s *stage) Helper() {}

func (s *stage) Cleanup(f func()) { s.cleanups = append(s.cleanups, f) }

func (s *stage) Errorf(format string, args ...any) {
	s.failed = errors.Join(s.failed, fmt.Errorf(format, args...))
}

func (s *stage) Fatalf(format string, args ...any) { panic(failure{fmt.Errorf(format, args...)}) }

func (s *stage) Skipf(format string, args ...any) { s.Fatalf(format, args...) }

// must ends everything when err is not nil.
func (s *stage) must(err error) {
	if err != nil {
		panic(failure{err})
	}
}

// close runs the cleanups, the last one first, and adds what failed to err.
// It must be deferred.
func (s *stage) close(err *error) {
	thrown := recover()
	for _, f := range slices.Backward(s.cleanups) {
		f()
	}
	if f, ours := thrown.(failure); ours {
		thrown, s.failed = nil, errors.Join(f.error, s.failed)
	}
	if thrown != nil {
		panic(thrown)
	}
	*err = errors.Join(*err, s.failed)
}
