// Package delve runs an app under a Delve server, and tells what becomes of it there.
//
//	devguard ── warden ── guardian ── dlv ── the app
//
// Package proc guards dlv, which starts the app in a group of its own, traces it, and lives on when
// the app has exited. So an App finds the app's process below dlv, waits for its end, and has the
// signals go to it: dlv takes a SIGTERM for an order to kill.
//
// The promises:
//
//   - Done of an App comes when the app has ended, and in any case soon after dlv has.
//   - An app that stands at a breakpoint can be asked to stop: its breakpoints are cleared and it goes
//     on, if dlv does that. Stop waits no longer than it is told to.
//   - A panic that no debugger is attached for (Linux can tell) ends the app, as it would without dlv.
//
// dlv serves only connections of its own user at a loopback address, which it looks up by itself.
// Whoever can connect can run code as that user.
package delve
