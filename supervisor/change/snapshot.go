package change

import (
	"slices"
	"time"
)

// Snapshot is the state of everything watched, at one moment, by content. It is a value: nobody
// changes one after it was handed out.
type Snapshot struct {
	// Version grows with every snapshot the watcher makes: of two, the one with the higher Version
	// is the newer, however they travelled.
	Version uint64

	// Seq grows with every write seen to a file of the graph, also with one that left equal bytes.
	// A build whose Seq differs between its start and its end may have read a mixture, whatever the
	// digests say (write B, build reads B, write A back).
	Seq uint64

	// Headers grows with every change seen of what Shape is made of: a listing during which it grew
	// may have read either state.
	Headers uint64

	// Unlisted grows with every event about a Go file that is not of the graph as it was listed
	// last. A build during which it grew may have failed by such a file, which is right by now:
	// the package may have come to the program since, and any Go file of it can fail a build.
	Unlisted uint64

	// Adopted is the time of the latest change to the files and directories that a new plan
	// brought, which nobody watched before. Whoever read them before that time may have read
	// another state. It is zero except in the snapshot that Apply returns.
	Adopted time.Time

	// Source is what the build reads: the contents of the graph's files.
	Source Digest
	// Shape is what `go list` depends on: imports, build constraints, package clauses, embed lines,
	// go.mod and its relatives, and which files exist.
	Shape Digest
	// Runtime is of what the running app reads (the files that watch.include matches, or in command
	// mode the whole tree): of how these files have changed since each was first seen, so that
	// finding one in the background is no change. Zero: none has changed.
	Runtime Digest

	// Styles and Scripts are of files that pages fetch by way of the app, the stylesheets and all others;
	// of changes, like Runtime.
	Styles, Scripts Digest

	Env    Digest // app.env_files
	Config Digest // devguard.toml

	Hooks []HookState // in the order of Rules.Hooks

	GitBusy bool // a rebase, merge or bisect is under way, or index.lock exists
	GitLock bool // index.lock exists: git is writing the work tree right now
}

// HookState is what decides whether a hook is due.
type HookState struct {
	Watch   Digest // contents of the files its watch globs match
	Missing bool   // an outputs pattern matches nothing
}

// SameContents reports whether both snapshots are of the same contents: every digest and every hook
// is equal. A save in between that left equal bytes does not show.
func (s Snapshot) SameContents(o Snapshot) bool {
	return s.Source == o.Source && s.Shape == o.Shape && s.Runtime == o.Runtime && s.Styles == o.Styles && s.Scripts == o.Scripts && s.Env == o.Env &&
		s.Config == o.Config && slices.Equal(s.Hooks, o.Hooks)
}

// SameBuild reports whether both snapshots have the same contents of all that a build is made of.
func (s Snapshot) SameBuild(o Snapshot) bool {
	return s.Source == o.Source && s.Shape == o.Shape && s.Config == o.Config
}

// SameWork reports whether both snapshots ask for the same work: contents are equal, and so is
// whether git is busy, which holds migrating hooks.
func (s Snapshot) SameWork(o Snapshot) bool { return s.SameContents(o) && s.GitBusy == o.GitBusy }

// SameState reports whether nothing happened between the snapshots that a reader may want to hear
// of: they ask for the same work, no file of the graph was written and git's lock is as it was.
func (s Snapshot) SameState(o Snapshot) bool {
	return s.SameWork(o) && s.Seq == o.Seq && s.GitLock == o.GitLock
}
