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
	ThenNone
)

// Hook is what deciding needs to know of one [[hook]].
type Hook struct {
	Name     string
	Key      string // differs when another command would run
	Then     Then
	Migrates bool
	Last     change.Digest // fingerprint of the last success, from an earlier run of devguard; zero if none
}

// Options are the settings that decisions depend on.
type Options struct {
	Command        bool // an arbitrary command: nothing is built
	RestartOnCrash bool
	Hooks          []Hook // in the order of classify.Rules.Hooks
}

// State is everything the loop knows. It is a value: Step returns a new one and
// leaves the old one as it was.
type State struct {
	opts     Options
	lastID   ID
	inFlight int // effects not answered yet

	tree  change.Snapshot // the newest one
	known bool            // the first listing was answered: tree is all there is
	burst change.Burst    // changes that are still coming

	untold []change.Path // paths of the burst, for the log; some more than once

	work  work      // what the round is doing
	round round     // which steps of this round are done
	again bool      // something changed since the round began
	saved time.Time // first change that no build or restart has taken up

	listing ID            // List in flight, beside the round
	listErr error         // of the last listing, not said yet
	listed  change.Digest // Shape that the graph was listed at
	relist  bool          // the graph or the rules are unknown: list before anything else
	config  change.Digest // devguard.toml as applied or refused, once known
	hooks   []hookState   // one for each of opts.Hooks

	lastBuild time.Duration // of the last build that was not cancelled
	built     buildState    // what the last build was made of
	binary    binary        // newest good output
	force     forced

	inst    instance
	next    next
	retired int // database sides of earlier configurations that are still open

	closing closing
	err     error // why devguard ends by itself
}

// work is the one thing that the round is doing.
type work struct {
	kind      workKind
	id        ID
	hook      int           // with hooking
	watch     change.Digest // with hooking and configuring: the contents it was started for
	gen       int           // with building
	seq       uint64        // with building: Snapshot.Seq at its start
	headers   uint64        // with building: Snapshot.Headers at its start
	started   time.Time
	stale     time.Time // with building: first change that it missed; zero if none
	grown     bool      // with building: a listing that ended meanwhile found more files
	forced    bool      // with building: force.build asked for it
	cancelled bool
}

type workKind int

const (
	idle workKind = iota
	configuring
	hooking
	building
)

type round struct {
	open bool
	ran  []bool // hooks that ran in this round
}

// forced is what is owed whatever the digests say.
type forced struct {
	build   bool // then = rebuild, key r, changed build settings
	restart bool // then = restart, key r
	migrate bool // a migration succeeded: restart after the next good build
	hooks   bool // key r: held hooks run now
}

// buildState describes the last build that was not cancelled.
type buildState struct {
	ever    bool
	failed  bool
	source  change.Digest // zero when it was not made of one state
	headers uint64        // Snapshot.Headers at its start
	started time.Time
}

type binary struct {
	path   string
	gen    int // the generation it was built for
	digest change.Digest
}

type closing int

const (
	open closing = iota
	graceful
	atOnce
)

// New returns the state before the first event. The first effects come with
// Begin.
func New(opts Options) State {
	s := State{relist: true, again: true, inst: instance{phase: never{}}, next: nothing{}}
	s.setOptions(opts)
	return s
}

// setOptions replaces the settings; a hook that is still the same keeps its history.
func (s *State) setOptions(opts Options) {
	old := s.hooks
	oldNames := s.opts.Hooks
	s.hooks = make([]hookState, len(opts.Hooks))
	for i, h := range opts.Hooks {
		s.hooks[i].ok = h.Last
		j := slices.IndexFunc(oldNames, func(o Hook) bool { return o.Name == h.Name && o.Key == h.Key })
		if j >= 0 {
			s.hooks[i] = old[j]
		}
	}
	s.opts = opts
	s.round.ran = make([]bool, len(opts.Hooks))
}

// Deadline returns when a Tick is wanted; zero for never.
func (s State) Deadline() time.Time {
	if s.closing != open {
		return time.Time{}
	}
	d := s.burst.Deadline()
	if retry := s.inst.retryAt(); !retry.IsZero() && s.mayStart() && (d.IsZero() || retry.Before(d)) {
		d = retry
	}
	return d
}
