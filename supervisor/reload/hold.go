package reload

import (
	"fmt"
	"slices"
)

// Hold is something that is due but waits. While devguard ends, only its end is.
type Hold struct {
	What   string // configuration, listing, hook NAME, build, restart, start, shutdown
	Kind   Kind   // what it waits for; programs may rely on it
	Reason string // the same for people
}

// Kind says what a Hold waits for. For...: it goes on by itself. After...: it goes
// on after a change or key r.
type Kind string

// The kinds of holds.
const (
	ForBurst     Kind = "burst"         // changes are still coming in
	ForConfig    Kind = "configuration" // devguard.toml is being read
	ForListing   Kind = "listing"       // so are the packages
	ForHook      Kind = "hook"          // one runs
	ForBuild     Kind = "build"         // one runs
	ForCancelled Kind = "cancelled"     // a build that was cancelled has not ended
	ForRestart   Kind = "restart"       // one comes first
	ForCheck     Kind = "check"         // whether the next generation can be started
	ForStart     Kind = "start"         // of a generation
	ForStop      Kind = "stop"          // of a generation
	ForDrain     Kind = "drain"         // of the sessions of a generation
	ForBackOff   Kind = "back-off"      // after a crash
	ForGit       Kind = "git"           // a rebase, merge or bisect
	ForPause     Kind = "pause"         // of a file that the app writes itself
	ForAnswers   Kind = "answers"       // of what was cancelled, or goes on beside

	AfterHookFailed    Kind = "hook failed"
	AfterHookSuspended Kind = "hook suspended"
	AfterBuildFailed   Kind = "build failed"
	AfterStartFailed   Kind = "start failed"
	AfterStartRefused  Kind = "start refused"
	AfterCrash         Kind = "crash"
	AfterExit          Kind = "exit"
	AfterChange        Kind = "change" // nothing else is known to be in the way
)

// AsksForChange reports whether it goes on only after a change, or key r.
func (k Kind) AsksForChange() bool {
	switch k {
	case AfterHookFailed, AfterHookSuspended, AfterBuildFailed, AfterStartFailed, AfterStartRefused, AfterCrash, AfterExit, AfterChange:
		return true
	}
	return false
}

// wait is what something that is due waits for.
type wait struct {
	kind   Kind
	reason string
}

// The waits that need no names.
var (
	burstWait      = wait{ForBurst, "changes are still coming in"}
	configWait     = wait{ForConfig, "devguard.toml is being read"}
	listingWait    = wait{ForListing, "the packages are being listed"}
	buildWait      = wait{ForBuild, "the build is running"}
	cancelledWait  = wait{ForCancelled, "the cancelled build has not ended yet"}
	leavingWait    = wait{ForCancelled, "the build that verifies the program has not ended yet"}
	restartWait    = wait{ForRestart, "a restart comes first"}
	backOffWait    = wait{ForBackOff, "back-off after a crash"}
	gitWait        = wait{ForGit, "git is in the middle of a rebase, merge or bisect"}
	pauseWait      = wait{ForPause, "the app keeps writing what it is restarted by"}
	answersWait    = wait{ForAnswers, "not all that was cancelled has ended yet"}
	badHookWait    = wait{AfterHookFailed, "it failed; it runs again when its files change"}
	suspendedWait  = wait{AfterHookSuspended, "it keeps changing its own input"}
	badBuildWait   = wait{AfterBuildFailed, "the last build failed"}
	badStartWait   = wait{AfterStartFailed, "it could not be started"}
	refusedWait    = wait{AfterStartRefused, "the next generation could not be started"}
	crashWait      = wait{AfterCrash, "it crashed"}
	exitWait       = wait{AfterExit, "it has ended by itself"}
	nextChangeWait = wait{AfterChange, "the next change"}
)

func hookWait(name string) wait    { return wait{ForHook, "hook " + name + " is running"} }
func brokenOffBy(name string) wait { return wait{AfterHookFailed, "hook " + name + " failed"} }
func checkWait(gen int) wait {
	return wait{ForCheck, fmt.Sprintf("it is checked whether generation %d can be started", gen)}
}
func startWait(gen int) wait {
	return wait{ForStart, fmt.Sprintf("generation %d is being started", gen)}
}
func stopWait(gen int) wait { return wait{ForStop, fmt.Sprintf("generation %d is being stopped", gen)} }
func drainWait(gen int) wait {
	return wait{ForDrain, fmt.Sprintf("the database sessions of generation %d are being ended", gen)}
}

// tellHolds says what waits that did not before.
func (m *machine) tellHolds(before []Hold) {
	for _, h := range m.holds {
		if !slices.Contains(before, h) {
			m.log(Log{What: LogWaiting, Hold: h})
		}
	}
}

// hold says that something is due and what it waits for.
func (m *machine) hold(what string, w wait) {
	m.holds = append(m.holds, Hold{what, w.kind, w.reason})
}
