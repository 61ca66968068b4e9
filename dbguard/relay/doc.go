// Package relay carries the bytes of one client to one upstream session and back, and ends the
// upstream session in order when the client is gone.
//
// It promises:
//
//   - What the session decides is what is written, in order: in mode Pass every byte of the one
//     side reaches the other, unchanged.
//   - There are two pumps, one for each direction. Each does one Write for each Read while nothing
//     holds the client, and never waits for more bytes before it passes on what it has.
//   - One goroutine at a time writes to each connection: the client's pump to the upstream (it also
//     ends the session), the upstream's to the client. What the session injects and the last error
//     of End are written between two of their writes, under the lock of that direction.
//   - What the server has said is passed on before the client is closed.
//   - When Run returns both connections are closed, no goroutine is left, and it returns within
//     FinishTimeout of the client's end: a peer that neither reads nor writes does not delay it.
//     The one exception is a client that said Terminate: what it asked for before may take its time
//     (as on a server without us), until End.
//   - A cancel never hits what comes after it: while one is under way nothing is sent to the
//     upstream.
//
// What it does not do: logins, listening, deciding when to end or hold.
package relay
