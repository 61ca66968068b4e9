package proc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
)

// StartError says why a file could not be executed, and what to do about it.
type StartError struct {
	Path string
	Err  error  // what the system said: a syscall.Errno, or an error of the look-up
	Next string // what to do; may be empty
}

// Error reads "start /x/app: exec format error".
func (e *StartError) Error() string { return fmt.Sprintf("start %s: %v", e.Path, e.Err) }

// Unwrap returns the system's error.
func (e *StartError) Unwrap() error { return e.Err }

// Hint says what to do next, or is empty.
func (e *StartError) Hint() string { return e.Next }

// Check reports what can be known before Start of why it would fail: a
// directory or file that is not there, or that may not be executed.
func (s Spec) Check() error {
	start, err := s.resolve()
	if err != nil {
		return err
	}
	path, dir := string(start.Path), string(start.Dir)
	errno := syscall.Errno(0)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		errno = syscall.ENOENT
	} else if info, err := os.Stat(path); err != nil {
		errors.As(err, &errno)
	} else if info.IsDir() || info.Mode()&0o111 == 0 {
		errno = syscall.EACCES
	}
	if errno == 0 {
		return nil
	}
	return newStartError(path, dir, startErrno{errno})
}

func lookError(name string, err error) error {
	hint := "it is in no directory of PATH; install it, or write the path of the file"
	switch {
	case errors.Is(err, exec.ErrDot):
		hint = "it is in the working directory; write ./" + name + " to run that file"
	case errors.Is(err, fs.ErrPermission):
		hint = "there is a file of that name in PATH, but you may not execute it"
	}
	var e *exec.Error
	if errors.As(err, &e) {
		err = e.Err // without "exec:" and the name, which StartError says
	}
	return &StartError{Path: name, Err: err, Next: hint}
}

// newStartError asks the file system what the errno leaves open. The answer may
// be late, so it is only a hint.
func newStartError(path, dir string, e startErrno) error {
	if st, err := os.Stat(dir); err != nil {
		return &StartError{Path: path, Err: fmt.Errorf("working directory: %w", err), Next: "create the directory, or name another one"}
	} else if !st.IsDir() {
		return &StartError{Path: path, Err: fmt.Errorf("working directory %s: %w", dir, syscall.ENOTDIR), Next: "name a directory"}
	}
	return &StartError{Path: path, Err: e.Errno, Next: execHint(path, e.Errno)}
}

func execHint(path string, errno syscall.Errno) string {
	st, err := os.Stat(path)
	switch errno {
	case syscall.ENOENT:
		if err == nil {
			return "the file is there, but not the interpreter its #! line or its header names"
		}
		return "there is no such file"
	case syscall.EACCES:
		switch {
		case err == nil && st.IsDir():
			return "it is a directory"
		case err == nil && st.Mode()&0o111 == 0:
			return "it is not executable: chmod +x " + path
		case noexec(path):
			return "its file system is mounted noexec; mount it with exec, or move the project to another file system"
		}
		return "you may not execute it, or not enter the working directory or a directory above"
	case syscall.ENOEXEC:
		return "it is no program for this system: built for another GOOS or GOARCH, or a script without a #! line"
	case syscall.ETXTBSY:
		return "another process is still writing it; start again when that is done"
	case syscall.E2BIG:
		return "arguments and environment are larger than the system allows"
	case syscall.EAGAIN:
		return "too many processes: see ulimit -u, or the pids limit of the container"
	}
	return ""
}
