// Package supervisor runs one app: it is the loop between what happens and what
// is done about it. Everything is decided in package reload; everything is done
// by the packages that this one wires together (watch, graph, build, hook,
// proc, ready). The database is behind Database, which main provides, because
// supervisor and dbguard do not know each other.
//
// # The loop
//
// One goroutine owns the state (loop.go). It waits in one select, takes one event,
// lets reload.Step decide and starts the effects. An effect with an ID runs in one
// goroutine and sends exactly one outcome, also when it is cancelled, fails or
// panics (effects.go). Nothing goes on that Step does not count: Run returns when it
// says that nothing is in flight, and closes what it has opened (see shutdown).
//
// The doers take what they need from the Supervisor when they are made, in the loop.
// An answer may bring things along for the loop to hold, as the new graph; Step hands
// them back by reload.Adopt when it takes the answer, so that a stale one is dropped
// in Step and nowhere else. What others may see is published by the loop: the newest
// generation, for the database side.
//
// Nothing that the loop calls waits: lines of the log are queued (package console).
package supervisor
