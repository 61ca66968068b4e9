//go:build unix

package statedir

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

var (
	errHeld    = errors.New("the lock is held")
	errQuota   = syscall.EDQUOT
	errNoLocks = syscall.ENOLCK
)

// noLocksHint is for a file system that refuses flock.
const noLocksHint = "the file system knows no locks; mount it with them, or move the project to a local one"

// acquire takes the lock, without waiting: errHeld if another has it.
func acquire(path string) (*os.File, error) { return lock(path, unix.LOCK_NB) }

// claim takes a lock that others only ever share, for microseconds: it waits for them.
func claim(path string) (*os.File, error) { return lock(path, 0) }

// lock takes the lock on the file that is at path once it is taken; how is LOCK_NB not to wait, or 0.
// The os package opens with close-on-exec: no program that devguard executes keeps the lock.
func lock(path string, how int) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|how)
		if err == nil && inPlace(f, path) {
			return f, nil
		}
		f.Close()
		switch {
		case err == nil || errors.Is(err, syscall.EINTR): // removed meanwhile: the lock is on nothing
		case errors.Is(err, syscall.EWOULDBLOCK):
			return nil, errHeld
		default:
			return nil, err
		}
	}
}

// claimed reports whether somebody holds what claim has taken.
func claimed(path string) bool { return errors.Is(share(path, unix.LOCK_NB), syscall.EWOULDBLOCK) }

// awaitUnclaimed returns once nobody holds what claim has taken.
func awaitUnclaimed(path string) error { return share(path, 0) }

// share takes the lock as those do that only look, and gives it up.
func share(path string, how int) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() // and with it the lock
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_SH|how)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// fileID names a file by its device and inode.
func fileID(path string) (string, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return "", err
	}
	return fmt.Sprint(st.Dev, " ", st.Ino), nil
}

// inPlace reports whether f is the file that is found at path.
func inPlace(f *os.File, path string) bool {
	mine, err1 := f.Stat()
	there, err2 := os.Stat(path)
	return err1 == nil && err2 == nil && os.SameFile(mine, there)
}
