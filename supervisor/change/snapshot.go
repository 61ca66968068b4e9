package change

import (
	"encoding/hex"
	"time"

	"github.com/devguard/devguard/supervisor/classify"
)

// Digest identifies contents. The zero Digest stands for "nothing there".
type Digest [16]byte

// String returns the first 8 bytes in hexadecimal, enough for a log line.
func (d Digest) String() string { return hex.EncodeToString(d[:8]) }

// IsZero reports whether d stands for nothing at all.
func (d Digest) IsZero() bool { return d == Digest{} }

// Snapshot is the state of everything watched, at one moment, by content.
// Snapshots are values: nobody changes one after it was handed out.
type Snapshot struct {
	// Version grows with every snapshot the watcher makes: of two, the one with
	// the higher Version is the newer, however they travelled.
	Version uint64

	// Seq grows with every write seen to a file of the graph, also with one
	// that left equal bytes. A build whose Seq differs between its start and
	// its end may have read a mixture, whatever the digests say (write B,
	// build reads B, write A back).
	Seq uint64

	// Headers grows with every change seen of what Shape is made of: a listing
	// during which it grew may have read either state.
	Headers uint64

	// Adopted is the latest change of the files and directories that a new plan
	// brought, which nobody watched before; zero in all snapshots but that of
	// the plan. What read them before that time may have read another state.
	Adopted time.Time

	Source Digest // what the build reads: contents of the graph's files
	Shape  Digest // what `go list` depends on: imports, constraints, package clauses, embed lines, go.mod ..., and which files exist
	// Runtime is of what changed, since each was first seen, in the files that
	// the running app reads (watch.include, or in command mode the whole tree);
	// zero: nothing. They are found in the background, and to find one is no
	// change.
	Runtime Digest

	Env    Digest // app.env_files
	Config Digest // devguard.toml

	Hooks []HookState // in the order of Rules.Hooks

	GitBusy bool // a rebase, merge, bisect is under way, or index.lock exists
	GitLock bool // index.lock exists: git is writing the work tree right now
}

// HookState is what decides whether a hook is due.
type HookState struct {
	Watch   Digest // contents of the files its watch globs match
	Missing bool   // an outputs pattern matches nothing
}

// Set is what changed since the Set before it.
type Set struct {
	Snapshot

	At      time.Time // when the first event of this set was received
	Paths   []Path    // changed in content, created or removed; sorted by name
	Ignored []Path    // events that ask for nothing, with the reason in Class.Reason; bounded, for the log
	Events  int       // file events behind this set, before merging
	Notes   []Note    // what a person should know: overflow, limits, a switch to polling
}

// Op says what happened to a path, in fsnotify's words.
type Op string

// The operations, as a difference between two states of a path.
const (
	Create Op = "create"
	Write  Op = "write"
	Remove Op = "remove"
	Chmod  Op = "chmod" // same bytes: touch, chmod, identical rewrite
)

// Path is one changed file.
type Path struct {
	Name  string // absolute
	Op    Op
	Class classify.Class
}

// Note is a message of the watcher for the log.
type Note struct {
	Warn bool
	Msg  string // what happened
	Hint string // what to do next; may be empty
}
