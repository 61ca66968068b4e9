package proc

import (
	"os"
	"syscall"
	"time"
)

// Spec says what to run. It is read during Start and not kept.
type Spec struct {
	Path string   // a file; without a slash it is looked up in PATH; relative to Dir
	Args []string // argv[1:]
	Dir  string   // working directory; "" is devguard's
	Env  []string // whole environment; nil is devguard's

	// The app gets these open files themselves, nothing is copied. Nil is
	// /dev/null. They may be closed once Start has returned.
	Stdin, Stdout, Stderr *os.File

	// Foreground makes the app's group the foreground group of the terminal
	// that Stdin is, and gives the terminal back when the app has exited.
	// Nothing happens when Stdin is no terminal or devguard is itself in the
	// background.
	Foreground bool
}

// Exit is how the main process ended.
type Exit struct {
	Code   int    // exit code, -1 when a signal ended it
	Signal string // "SIGKILL", or "" when it exited by itself
	Lost   bool   // the guardian died: how the app ended is not known
}

// StopSpec says how to ask the tree to end.
type StopSpec struct {
	Signal syscall.Signal // to the app's group; 0 is SIGTERM
	Grace  time.Duration  // from the signal to SIGKILL; 0 kills at once

	// Note, if set, is called with the pids of the tree right before the
	// signal and right before the SIGKILL that ends a grace. Stop waits for
	// it; it must not call the Instance.
	Note func(pids []int)
}

// StopResult is what Stop saw.
type StopResult struct {
	Killed bool          // the app or its group was still there when the grace was over or cut short
	Took   time.Duration // from the signal until the tree was gone, or until Stop gave up
	Left   []int         // alive when Stop gave up: uninterruptible, or not ours to kill
}

// killWait is how long Stop waits for a SIGKILL to take effect. A kill of a
// process that is not in uninterruptible sleep takes milliseconds even on a
// loaded machine; what is left after this is reported, not waited for.
const killWait = 3 * time.Second
