package proc

import "os"

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
	// that Stdin is. When the app has exited or is stopped, devguard's group has
	// the terminal again, with the modes from before. Nothing happens when Stdin
	// is no terminal; while devguard is in the background, not before a Continue
	// in the foreground.
	Foreground bool

	// Filter has every bind and listen of the tree ask devguard: see package seccomp
	// and Instance.Filter.
	Filter bool
}

// Exit is how the main process ended.
type Exit struct {
	Code   int    // exit code, -1 when a signal ended it
	Signal string // "SIGKILL", or "" when it exited by itself
	Lost   bool   // the guardian died: how the app ended is not known
}
