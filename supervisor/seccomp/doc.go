// Package seccomp has a process ask us before it binds or listens: a seccomp
// filter with user notification on the system calls bind and listen, and on execve where
// the programs that it starts lose privileges by the filter.
//
// Install puts the filter on the calling thread, and so on whatever that thread
// forks. What it returns is given to the process that answers, by SCM_RIGHTS, where
// it becomes a Listener. Until a notification is answered, the thread that made the
// call waits; once the Listener is closed, each such call fails with ENOSYS. So it is
// closed only when the tree has ended: Receive then returns io.EOF.
//
// Everything the filter does not know is allowed: other system calls, other
// architectures (a 32-bit child has other numbers), bind and listen by io_uring.
// Those are not seen. The kernel keeps the verdict of a filter like this one in a
// bitmap (Linux 5.11), so that other system calls cost nothing.
//
// Linux 5.9 on x86-64 and arm64; elsewhere Install returns ErrUnsupported.
package seccomp

import "errors"

// ErrUnsupported says that this system has no such filter.
var ErrUnsupported = errors.New("only Linux on x86-64 and arm64 hands over listening sockets")

// ErrGone says that the call is not waiting any more: a signal has interrupted it,
// and the process may call again, or the process is dead.
var ErrGone = errors.New("the call does not wait any more")

// Call is a system call that is asked about.
type Call int

// The calls.
const (
	Bind Call = iota + 1
	Listen
	Exec
)

// Notification is one call that waits for its answer.
type Notification struct {
	id     uint64
	Thread int // that called; its id in our own pid namespace
	Call   Call
	FD     int // the first argument; of Exec the directory that a relative path is in, AT_FDCWD for the working one

	// Of Bind: where the address is in the memory of the process, and its length. Of Exec: where the
	// path is.
	Address uint64
	Length  int
}
