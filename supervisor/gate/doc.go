// Package gate decides what becomes of a request at the front: whether it is sent to
// the app, waits, or is answered in the app's place; and whether the app may be asked
// to stop. It is pure: the caller says what has happened and when.
//
// The app is known by its phase (phase.go), which follows the generations as Started,
// Ready, Stopping and their like tell of them. A request is an exchange (exchange.go)
// from Arrive to Over.
//
// Promises:
//
//   - A request is sent to a generation that was found ready, or that was awaited for
//     as long as it may take, and to no other: never to one that is being stopped.
//   - A request is sent again only if nothing of it can have reached the app.
//   - A request waits at most Options.Hold since it arrived; while no generation runs and
//     none is on its way it does not wait. Nor does that of a page while the app has
//     crashed, and is started again after a pause.
//   - Unanswered counts what the app owes an answer. Streams are not counted: they end
//     when the app does, or their client goes.
package gate
