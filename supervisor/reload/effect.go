package reload

import (
	"time"

	"github.com/devguard/devguard/supervisor/change"
)

// Effect is work to start. Those with an ID run in a goroutine each and are
// answered by one event; Cancel, Log, Adopt and Refresh are done at once and have no answer.
type Effect interface{ effect() }

// List reads the import graph and hands it to the watcher.
type List struct{ ID ID }

// LoadConfig reads devguard.toml again.
type LoadConfig struct{ ID ID }

// RunHook runs one hook.
type RunHook struct {
	ID      ID
	Gen     int           // the generation it would lead to
	Hook    int           // index into Options.Hooks
	Watch   change.Digest // of the files it watches, its fingerprint if it succeeds
	Last    change.Digest // that of its last success as far as it is known
	Changed []change.Path // what asked for it; none at start and with key r
}

// Build builds the package.
type Build struct {
	ID   ID
	Gen  int    // the generation it would become
	Keep [2]int // the generations whose binaries are still of use: running, newest good one
	Fast bool   // it may do without the go command

	Binary change.Digest // of the newest good output
}

// Check looks whether a generation could be started, before the one that runs is
// stopped for it.
type Check struct {
	ID     ID
	Gen    int
	Binary string // empty for a command
}

// Start starts a generation of the app.
type Start struct {
	ID     ID
	Gen    int
	Binary string // empty for a command

	// Made is of all that the generation is made of: the program, the files that it reads at run time
	// and its env files. One that is tried again without a change has the same.
	Made change.Digest
}

// Await waits for the main process of a generation. It is cancelled when even
// SIGKILL has not ended that.
type Await struct {
	ID  ID
	Gen int
}

// AwaitReady waits until a generation is ready.
type AwaitReady struct {
	ID  ID
	Gen int
}

// Stop ends the process tree of a generation: signal, grace, kill. Cancelled,
// it kills now and is still answered.
type Stop struct {
	ID   ID
	Gen  int
	Last bool // devguard ends: no other generation follows
}

// Drain ends what a generation left in the database.
type Drain struct {
	ID  ID
	Gen int
}

// Refresh has pages reload, or take their stylesheets anew. A restart does that by itself.
type Refresh struct{ Styles bool }

// Cancel asks the effect with that ID to end early. It is still answered.
type Cancel struct{ ID ID }

// What names a line of the log.
type What int

// The lines of the log that the decider writes; package logline has their form.
const (
	LogChanged What = iota + 1
	LogIgnored
	LogNote
	LogHookStarted
	LogHookFinished
	LogHookFailed
	LogHookHeld
	LogHookSuspended
	LogBuildStarted
	LogBuildFinished
	LogBuildFailed
	LogBuildCancelled
	LogBuildByGo     // no edit of it will be built without: Reason
	LogBuildVerified // Reason is why the next one is not fast
	LogBuildDiffers  // from what the go command makes: Reason is where that can be looked at
	LogRestartSkipped
	LogRestartSuspended
	LogRestartRefused // the next generation could not be started: Err
	LogInstanceStopping
	LogInstanceStarted
	LogInstanceReady
	LogInstanceNotReady
	LogInstanceExited
	LogStartFailed
	LogStopTrouble
	LogCrashWaiting
	LogConfigApplied
	LogConfigInvalid
	LogListFailed
	LogWarning // Err stops nothing
	LogWaiting // Hold is new
)

// Log is a line for the user. Only the fields that What needs are set.
type Log struct {
	What        What
	Gen         int
	Hook        string
	Reason      string
	Paths       []change.Path
	Note        change.Note
	Hold        Hold
	Took        time.Duration
	Fast        bool          // the build has done without the go command
	SaveToReady time.Duration // 0: no save led to it
	Parts       Parts
	Rule        string
	PID         int
	Code        int
	Signal      string
	Asked       bool // the exit was devguard's wish
	HungUp      int  // connections of clients that were ended for the stop
	Err         error
	Detail      any
}

func (List) effect()       {}
func (LoadConfig) effect() {}
func (RunHook) effect()    {}
func (Build) effect()      {}
func (Check) effect()      {}
func (Start) effect()      {}
func (Await) effect()      {}
func (AwaitReady) effect() {}
func (Stop) effect()       {}
func (Drain) effect()      {}
func (Refresh) effect()    {}
func (Cancel) effect()     {}
func (Log) effect()        {}
