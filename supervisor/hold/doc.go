// Package hold decides which listening sockets of the app outlive a generation, to
// whom they are handed, and when devguard lets go of them.
//
// A Table is told what the app does with its sockets (Bind, Listen) and what becomes
// of its generations (Started, Ready, NotReady, Exited, Stopping, Ended, then Idle or
// Active), and answers with Actions. It has no I/O and no clock: what is asked of the kernel comes with
// the call, and so does `now`.
//
// A socket that listens is kept: devguard has a copy of it, with which it goes on
// listening when the app closes its own descriptor. The next generation that binds
// the same address gets that socket in the place of its own. The rules of letting go
// have one aim: nothing may fail, and no client may wait for nobody, that would not
// have done so without us.
//
//   - A bind that a kept socket stands in the way of, and that it cannot answer:
//     another overlapping address, other options, a descriptor that cannot be
//     replaced. Only what no process of the tree has open is handed over or let go:
//     else the app gets the kernel's EADDRINUSE, as it would without us.
//   - A generation that ends by itself, or is not ready in time, and has not taken
//     what was held for it. When the next one then becomes ready, the app dials its
//     own port before it binds, and holding is off for the run.
//   - A generation that is ready and has not taken it in time (Table.patience).
//   - The app is down and nothing is done about it (downLimit); until then whoever
//     connects is answered that it is (Answer).
//   - The app has closed it while it runs: at once when clients wait, else within some
//     seconds.
//   - What keeps the copies was killed, and no process of the app has it; or something
//     failed; or devguard ends.
package hold
