// Package guard stands between a dev server and its Postgres: the app's URLs lead
// to loopback listeners (package login), behind which each client has a session of
// its own upstream. When a generation of the app has ended, what it left is ended
// before the next one starts, verified, and said.
//
// Where to look: mode.go (what is done with an upstream), probe.go and pooler.go
// (what it is), route.go and environ.go (the app's environment), serve.go and
// fixed.go (clients that have logged in), reach.go and spare.go (sessions upstream),
// pause.go (migrations), drain.go, proof.go and note.go (the end of a generation),
// stats.go and snapshot.go (what there is to see).
//
// It promises:
//
//   - A generation has a password of its own, so whose a session is is known by
//     construction. After Drain its password is refused, and nothing is left of
//     what passed through the listeners.
//   - What goes past the listeners is ended only when it is provably the app's:
//     sessions that carry this run's label or come from a socket that the app was
//     seen to hold, on a server reached directly, when nobody else can have them
//     (see proof). Everything else is reported as `bypass`, or not seen at all.
//   - In mode auto the app is never worse off: where we cannot log in and it could,
//     or cannot keep to its settings, it gets its own URL (mode drain).
//   - A start never waits for a database, only a client of a listener does; Drain
//     waits within the drain timeout, likewise the first app or migration after a
//     devguard that was killed, HookEnv of a migrating hook within probeWait, Pause
//     within the drain timeout and as much again, 2 s at least, and AppEnv for an
//     embedded server that was asked for.
//   - While a generation merely runs, the only sessions upstream are its own,
//     those dialled ahead for the next one (30 s at most), and during the probe one
//     or two. Without a generation there is none.
//   - No password is in anything that it logs or returns as an error, and no
//     literal of a statement.
package guard
