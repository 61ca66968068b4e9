// Package guard stands between a dev server and its Postgres: the app's URLs lead
// to loopback listeners (package login), behind which each client has a session of
// its own upstream. When a generation of the app has ended, what it left is ended
// before the next one starts, verified, and said.
//
// Where to look; calls go down this list:
//
//   - guard.go and status.go (open, close, look), appenv.go, route.go and survey.go
//     (the environments of the app and of hooks), embedded.go, databases.go (the
//     configuration), pause.go (migrations)
//   - the end of a generation: sweep.go (of a devguard that was killed), drain.go runs
//     it, report.go says what became of it, verify.go proves whose a session is
//   - registry.go (the upstreams); of one: fixed.go and serve.go (clients that have
//     logged in), mismatch.go and encrypt.go (those of the app that want what its URL does not
//     say), dial.go (the session for the next drain), upstream.go
//   - its parts: listeners.go, sessions.go and clientsession.go, spares.go and spare.go
//     (sessions dialled ahead), conflicts.go, prober.go (what it is)
//   - below: log.go, mode.go, probe.go and pooler.go, verdict.go, reach.go (sessions for
//     clients), ownconn.go (sessions of our own), trouble.go (why a connect fails),
//     endpoint.go, environ.go, labels.go, appsockets.go, addresses.go, background.go
//
// Each upstream has a prober, sessions, spares, listeners and a session for the next
// drain, each with a lock of its own, which its own file alone takes and never holds
// over I/O. A lock is taken under another only downwards: sessions, then a client's
// session and its relay; registry, then endpoint; any, then background.
//
// It promises:
//
//   - A generation has a password of its own, so whose a session is is known by
//     construction. After Drain its password is refused, and nothing is left of
//     what passed through the listeners.
//   - What goes past the listeners is ended only when it is provably the app's:
//     sessions that carry this run's label or come from a socket that the app was
//     seen to hold, on a server reached directly, when nobody else can have them
//     (see ownership). Everything else is reported as `bypass`, or not seen at all.
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
