// Package guard stands between a dev server and its Postgres: it labels the
// sessions of each generation of the app, and when a generation has ended it
// ends what the server still holds of it, verifies that and says so.
//
// It promises:
//
//   - Only what is provably the app's is ended: sessions that carry this run's
//     label or come from a socket that the app was seen to hold, on a server
//     reached directly, when nobody else can have them (see proof). Everything
//     else is reported as `bypass`, or not seen at all.
//   - Nothing of a database is waited for, except in Drain within the drain
//     timeout, likewise before the first app or migration after a devguard that
//     was killed, in HookEnv of a migrating hook within probeWait, and for an
//     embedded server that was asked for.
//   - A database that is down, refuses us or is none changes nothing for the
//     app: one `database` line says why, once.
//   - No session is held while a generation merely runs: there is one during
//     the probe, and one from the stop signal to the end of the drain.
//   - No password is in anything that it logs or returns as an error.
//
// This version knows mode drain alone: URLs are never rewritten. The proxy's
// modes have their place in upstream (what it is), survey (what the app's
// environment says) and Drain (what ends with a generation).
package guard
