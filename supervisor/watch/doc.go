// Package watch reports what changes in the files that a Plan names: those of the import graph, of
// include globs, of hooks, env files and the configuration.
//
// New makes a Watcher, Apply gives it a plan, Changes delivers a change.Set for each burst of saves.
// Three methods return a change.Snapshot, the state of the tree by content: Apply, of what the plan
// names; Sync, after a stat of every file of the graph and of hooks; CatchUp, with every write in it
// that was completed before the call, by a cookie in the event queue.
//
// Its promises:
//
//   - Contents decide. An event is a reason to look at a file; what counts is whether its bytes
//     differ from those seen before. Nothing is concluded from the kind or the number of events.
//   - No save is lost. Watches are set before files are read. When events are missing (a queue
//     overflow, a limit, a watch that has ended, a directory that was replaced), all files concerned
//     are looked at again; of an overflow and of a limit the reader gets a Note.
//   - Sets and snapshots carry a Version that grows. Sets that wait for a slow reader are merged, so
//     that he costs neither memory without bound nor changes.
//   - A save of a Go file never waits for the search for include globs, which runs in the
//     background.
//
// One goroutine, the loop, owns all state (loop.go). Others only wait for something slow, and Close
// waits for them: readQueue empties fsnotify's event queue, mailbox keeps sets for the reader, a walk
// lists directories and asks git what it ignores.
//
// Where things are: what an event is about (events.go), a queue overflow (overflow.go), polling
// (poll.go, sweep.go), files that are half saved (postpone.go), whether contents differ (files.go,
// read.go), directories and their inotify watches (dirs.go, watches.go), those that may not be read
// (unreadable.go), symbolic links that lead nowhere yet (awaited.go, trace.go), the search for include
// globs (walk.go, background.go), what git ignores (gitignore.go) and why that is not known
// (gitsilence.go), whether git is in the middle of something (repository.go, gitstate.go).
package watch
