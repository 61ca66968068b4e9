package statedir

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
)

// Error is a failure that a person can mend: what, where, and what next.
type Error struct {
	Op   string // "create", "lock" ...; with Path
	Path string
	Err  error
	Next string // what to do; may be empty
}

// Error reads "cannot create /x/.devguard: read-only file system".
func (e *Error) Error() string {
	if e.Path == "" {
		return e.Err.Error()
	}
	return fmt.Sprintf("cannot %s %s: %v", e.Op, e.Path, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Hint says what to do next, or is empty.
func (e *Error) Hint() string { return e.Next }

// HeldError says that a devguard of that name runs already.
type HeldError struct {
	Name string
	Dir  string // its folder
	PID  int    // 0 while it has not written it yet
	Next string
}

// Error names the other devguard.
func (e *HeldError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("another devguard runs here under the name %q", e.Name)
	}
	return fmt.Sprintf("another devguard runs here under the name %q: pid %d", e.Name, e.PID)
}

// Hint says how to go on.
func (e *HeldError) Hint() string { return e.Next }

func newHeldError(name, dir string, pid int) error {
	e := &HeldError{Name: name, Dir: dir, PID: pid, Next: "stop it, or run this one beside it with --name OTHER"}
	if pid > 0 {
		e.Next = fmt.Sprintf("stop it (kill %d), or run this one beside it with --name OTHER", e.PID)
	}
	return e
}

// explain makes an Error of what the system said about path.
func explain(op, path string, err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err // its path is the same, or a temporary one beside it
	}
	e := &Error{Op: op, Path: path, Err: err}
	switch {
	case errors.Is(err, syscall.EROFS):
		e.Next = "devguard keeps its state beside the configuration; make that file system writable, or work on a copy"
	case errors.Is(err, fs.ErrPermission):
		e.Next = fmt.Sprintf("it must belong to you and be writable; if devguard once ran as root: sudo chown -R \"$USER\" %s", filepath.Dir(path))
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, errQuota):
		e.Next = "free some space; old binaries lie in " + filepath.Dir(path)
	case errors.Is(err, fs.ErrNotExist):
		e.Next = "the directory was removed; create it again"
	case errors.Is(err, syscall.ENOTSUP), errors.Is(err, errNoLocks):
		e.Next = noLocksHint
	}
	return e
}
