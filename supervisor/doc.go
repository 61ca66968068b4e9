// Package supervisor runs one app: it is the loop between what happens and what
// is done about it. Everything is decided in package reload; everything is done
// by the packages that this one wires together (watch, graph, build, hook,
// proc, ready). The database is behind Database, which main provides, because
// supervisor and dbguard do not know each other.
//
// # The loop
//
// One goroutine owns the state. It waits in one select, takes one event, lets
// reload.Step decide and starts the effects. An effect with an ID runs in one
// goroutine and sends exactly one outcome, also when it is cancelled, fails or
// panics; Run returns when the decider says that nothing is in flight.
//
// An outcome may bring things along that the loop has to hold (the new graph,
// the started process tree). They travel with the event and are taken over by
// the loop before Step, so that nothing is shared.
package supervisor
