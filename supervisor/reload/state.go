package reload

import (
	"slices"
	"time"

	"github.com/devguard/devguard/supervisor/change"
)

// Then says what follows a hook that succeeded.
type Then int

// The values of hook.then in devguard.toml.
const (
	ThenRebuild Then = iota
	ThenRestart
	ThenReload  // of pages
	ThenRestyle // of pages: their stylesheets alone
	ThenNone
)

// Hook is what deciding needs to know of one [[hook]].
type Hook struct {
	Name     string
	Key      string // differs when another command would run
	Then     Then
	Migrates bool
	// Last is the fingerprint of the last success, from an earlier run of devguard; zero
	// if there was none.
	Last change.Digest
}

// Options are the settings that decisions depend on.
type Options struct {
	Command        bool // an arbitrary command: nothing is built
	RestartOnCrash bool
	Fast           bool   // builds may do without the go command
	Hooks          []Hook // in the order of classify.Rules.Hooks
}

// State is everything the loop knows. It is a value: Step returns a new one and
// leaves the old one as it was.
type State struct {
	opts     Options
	lastID   ID
	inFlight int // effects not answered yet

	tree   change.Snapshot // the newest one
	burst  change.Burst    // changes that are still coming
	untold []change.Path   // paths of the burst, for the log; some more than once
	saved  time.Time       // first change that no build or restart has taken up
	spent  Parts           // for that, so far

	round  round
	rounds int    // counts them
	again  bool   // something changed since the round began
	broken string // the hook whose failure ended a round, while contents are what they were then
	graph  graph
	config config
	hooks  []hook // one for each of opts.Hooks

	fetched fetched // by pages

	written []written // files that the app may write itself

	runHeld bool // key r: hooks that wait for git run in this round

	// asked counts the builds that are wanted whatever the digests say: then = rebuild,
	// key r, changed build settings. met is asked as the last build found it.
	asked, met int

	trust     trust // in fast builds
	builds    Builds
	built     lastBuild
	buildTook time.Duration
	binary    binary

	inst    instance
	next    next
	owed    cause // of a restart that is owed whatever the digests say
	retired int   // database sides of earlier configurations that are still open

	jobStop ID // of StopJob; 0: none is in flight

	closing closing
	err     error // why devguard ends by itself

	holds []Hold // what the last plan has left waiting
}

// New returns the state before the first event. The first effects come with
// Begin.
func New(opts Options) State {
	s := State{again: true, round: resting{}, built: noBuild{}, trust: verified{}, closing: open{}, inst: instance{phase: never{}}, next: nothing{}}
	s.setOptions(opts)
	return s
}

// setOptions replaces the settings; a hook that is still the same keeps its history.
func (s *State) setOptions(opts Options) {
	old := s.hooks
	oldNames := s.opts.Hooks
	s.hooks = make([]hook, len(opts.Hooks))
	for i, h := range opts.Hooks {
		s.hooks[i].state = ready{h.Last}
		j := slices.IndexFunc(oldNames, func(o Hook) bool { return o.Name == h.Name && o.Key == h.Key })
		if j >= 0 {
			s.hooks[i] = old[j]
		}
	}
	s.opts = opts
	if _, yes := s.trust.(pointless); yes {
		s.trust = verified{} // by other settings a build may be fast
	}
	s.rounds++ // a hook that ran in this round may run again, by other settings
}

// Deadline returns when a Tick is wanted; zero for never.
func (s State) Deadline() time.Time {
	if !s.isOpen() {
		return time.Time{}
	}
	var first time.Time
	for _, at := range []time.Time{s.burst.Deadline(), s.retryAt(), s.takeAt(), s.verifyAt()} {
		if !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}
