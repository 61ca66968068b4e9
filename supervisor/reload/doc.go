// Package reload decides what devguard does next. It is pure: Step takes the
// state, one event and the time, and returns the new state and the effects to
// start. It has no I/O, no clock and no goroutines, so every rule about
// restarts can be tried in a table or by a fuzzer.
//
// # Shape
//
// Two things go on side by side. The round (round.go) is the work on the tree:
// debounce, configuration, hooks, build; the packages are listed beside its steps.
// The instance (instance.go) is the newest generation of the app and its end:
// start, ready, stop, drain. Each is one of several types, with what is known in
// that state alone, and a move that a state does not allow panics.
//
// They meet in handover.go: a round that has something to serve makes a generation
// due, which is checked, and started once the one before is gone; and what one must
// not do while the other is busy is asked there. Otherwise neither knows of the other:
// step.go tells both what has happened, shutdown.go ends both.
//
// The tree is known by level (change.Snapshot), so that a round compares what
// there is with what was last used, and an event only says when to look.
//
// # Waits
//
// Step decides also why the rest waits (hold.go). Whatever is due and not in
// flight has exactly one Hold in the Snapshot, which says what it waits for. The
// log at debug, and whoever shows the state, print these and nothing else.
//
// # Versions
//
// Snapshot.Version of package change grows with every change of the tree. Builds,
// hooks and generations carry the one that they began with: what they have read is
// of that tree or of a newer one, never of an older one.
//
// # Promises
//
//   - At most one build and one hook, never both; at most one instance; a hook
//     never runs while an instance is being replaced.
//   - Every effect that carries an ID is answered by exactly one event with
//     that ID, also when it was cancelled, failed or panicked. Only here is a
//     result dropped, when its ID is no longer the one awaited.
//   - A build whose inputs changed after it started is cancelled, until the
//     oldest unserved change has waited 2 × the last build's time (at least
//     2 s); then one build may finish and is served, and the next follows.
//   - A hook or build that fails changes nothing about the running instance.
//   - After Interrupt the state ends: Snapshot.Done is true when no effect is
//     in flight and no instance is left.
package reload
