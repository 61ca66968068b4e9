// Package reload decides what devguard does next. It is pure: Step takes the
// state, one event and the time, and returns the new state and the effects to
// start. It has no I/O, no clock and no goroutines, so every rule about
// restarts can be tried in a table or by a fuzzer.
//
// # Shape
//
// Two things go on side by side. The round (round.go) is the work on the tree:
// settle, configuration, hooks, build. The instance (instance.go) is the one
// running generation of the app and its replacement: stop, drain, start. A
// round hands over by setting swap; nothing else connects them.
//
// The tree is known by level (change.Snapshot), so that a round compares what
// there is with what was last used, and an event only says when to look.
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
