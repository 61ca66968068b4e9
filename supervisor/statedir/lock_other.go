//go:build !unix

package statedir

import (
	"errors"
	"os"
	"runtime"
)

var (
	errHeld    = errors.New("the lock is held")
	errQuota   = errors.New("quota exceeded")
	errNoLocks = errors.New("no flock on " + runtime.GOOS)
)

// noLocksHint is for a system that devguard does not know how to lock on.
const noLocksHint = "on Windows use WSL 2"

func acquire(string) (*os.File, error) { return nil, errNoLocks }

func claim(string) (*os.File, error) { return nil, errNoLocks }

func claimed(string) bool { return false }

func awaitUnclaimed(string) error { return errNoLocks }

func fileID(path string) (string, error) { return path, nil }

func inPlace(f *os.File, _ string) bool { return f != nil }
