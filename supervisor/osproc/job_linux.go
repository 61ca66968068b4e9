package osproc

import (
	"bytes"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// Apart runs fork, which starts a child in another process group, and keeps Ctrl-Z away from the child. Until
// it is in that group, it is in ours, which Ctrl-Z is sent to. Stopped on the way it would not be continued by
// `fg`, which continues our group, and our thread would wait in vfork for ever, and soon every other for the
// garbage collector. The child inherits that SIGTSTP is blocked: one that a terminal may be lent to calls
// TakeJobStop.
func Apart[Child any](fork func() (Child, error)) (Child, error) {
	runtime.LockOSThread() // the signal mask is the thread's
	defer runtime.UnlockOSThread()
	var before unix.Sigset_t
	_ = unix.PthreadSigmask(unix.SIG_BLOCK, jobStop(), &before) // fails only for a wrong argument
	defer func() { _ = unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil) }()
	return fork()
}

// TakeJobStop has the calling thread, and whatever it forks, take SIGTSTP again.
func TakeJobStop() { _ = unix.PthreadSigmask(unix.SIG_UNBLOCK, jobStop(), nil) }

func jobStop() *unix.Sigset_t {
	set := &unix.Sigset_t{}
	set.Val[0] = 1 << (unix.SIGTSTP - 1)
	return set
}

// ignoresJobStop reports whether this process was started with SIGTSTP ignored. signal.Ignored does
// not know: the Go runtime looks at SIGHUP and SIGINT alone when it starts.
func ignoresJobStop() bool {
	status, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := bytes.Cut(status, []byte("\nSigIgn:"))
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	mask, err := strconv.ParseUint(string(bytes.TrimSpace(line)), 16, 64)
	return err == nil && mask&(1<<(unix.SIGTSTP-1)) != 0
}
