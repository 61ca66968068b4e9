package reload

import (
	"time"

	"github.com/devguard/devguard/supervisor/change"
)

// ID names one effect; its answer carries the same ID. 0 is no effect.
type ID uint64

// Event is something that happened. The types below are all there are.
type Event interface{ event() }

// Changed reports that watched files changed.
type Changed struct{ Set change.Set }

// Tick reports that State.Deadline has passed.
type Tick struct{}

// Restart is the user's wish (key r): run failed and held hooks, build, restart.
type Restart struct{}

// Replace asks for a restart without a build: what the running app was started
// with is no good any more. A tree that is broken now does not stand in the way.
type Replace struct{}

// Interrupt is the user's wish to end (Ctrl-C, SIGTERM, key q). The second one
// means now; one that comes right after another is its echo (see onePress).
type Interrupt struct{}

// Listed answers List.
type Listed struct {
	ID       ID
	Snapshot change.Snapshot
	// Adopted is the latest change time of the files that this listing added to
	// the graph; zero when it added none. A build started before it may have
	// read them half-written.
	Adopted time.Time
	// Stale says that files changed while they were listed: the graph may be
	// that of an earlier state than Snapshot.
	Stale bool
	// StaleConfig says that devguard.toml is no longer what the settings were
	// made of; only the first listing, which has no snapshot before it, looks.
	StaleConfig bool
	Fatal       bool // Err can't be mended by an edit (no toolchain, package is not main)
	Err         error
	Brings      any // for Adopt
}

// ConfigLoaded answers LoadConfig.
type ConfigLoaded struct {
	ID      ID
	Options Options
	Rebuild bool  // build settings differ from those before
	Same    bool  // nothing differs but what is read at the start of devguard alone
	Retires bool  // the database side of before is replaced by another
	Err     error // invalid: the old configuration stays
	Brings  any   // for Adopt
}

// HookDone answers RunHook.
type HookDone struct {
	ID       ID
	Snapshot change.Snapshot // taken after the hook ended
	Took     time.Duration
	Err      error
	Detail   any // shown by the caller, not looked at
}

// Built answers Build.
type Built struct {
	ID        ID
	Snapshot  change.Snapshot // taken after the build ended
	Binary    change.Digest   // of the output, equal for equal programs
	Path      string
	Took      time.Duration
	Link      time.Duration // of Took, since the linker began; 0: not known
	Fast      bool          // it was made without the go command
	Refused   Refusal       // why it was not, though it might have been
	Lasting   bool          // Refused is of all builds, until what go list reads or the configuration changes
	Cancelled bool
	Err       error
	Detail    any // shown by the caller, not looked at
	Brings    any // for Adopt
}

// Checked answers Check.
type Checked struct {
	ID      ID
	Missing bool  // Err is that the binary is not there any more
	Err     error // why the start would fail
}

// Started answers Start.
type Started struct {
	ID      ID
	PID     int
	Missing bool // Err is that the binary is not there any more
	Err     error
}

// Exited answers Await: the app's main process is gone.
type Exited struct {
	ID     ID
	Code   int    // -1 with a signal
	Signal string // "SIGKILL", or empty
	Detail any    // shown by the caller, not looked at

	Cancelled bool  // it is still there, and nobody waits any more
	Interrupt bool  // the user's Ctrl-C went to the app, which has the terminal
	Err       error // it could not be waited for
}

// ReadyDone answers AwaitReady.
type ReadyDone struct {
	ID        ID
	Rule      string
	Took      time.Duration
	Cancelled bool
	Err       error // not ready in time: what was awaited
	Brings    any   // for Adopt
}

// Stopped answers Stop: the whole process tree is gone.
type Stopped struct {
	ID     ID
	Killed bool
	Took   time.Duration
	HungUp int   // connections of clients that were ended for it
	Err    error // what could not be ended
}

// Drained answers Drain.
type Drained struct {
	ID  ID
	Err error
}

func (Changed) event()      {}
func (Tick) event()         {}
func (Restart) event()      {}
func (Replace) event()      {}
func (Interrupt) event()    {}
func (Listed) event()       {}
func (ConfigLoaded) event() {}
func (HookDone) event()     {}
func (Built) event()        {}
func (Checked) event()      {}
func (Started) event()      {}
func (Exited) event()       {}
func (ReadyDone) event()    {}
func (Stopped) event()      {}
func (Drained) event()      {}
