// Package login is the server's side of a Postgres connection up to ReadyForQuery:
// it listens where the app's URLs lead, and lets the app's clients in.
//
// Where to look: listener.go (the address), pending.go (connections that have not
// logged in), opening.go (requests for encryption), negotiate.go (startup messages),
// login.go and scram.go (a password of ours), relayed.go (the upstream's own password),
// app.go (clients of the app that want something else than their URL says), client.go
// (what a client is told then), serverconn.go (sessions upstream), cancelkey.go
// (CancelRequest).
//
// It promises:
//
//   - A client is served when it has proved that it knows a password that is good
//     at that moment, or when the upstream itself has let it in with a password;
//     without one, only a process of the app's that our own user runs.
//   - Who does not know the password causes nothing but his own refusal, unless the other
//     end of his connection is in the app's own process tree.
//   - Whatever others do at a listener costs a bounded amount of memory and
//     goroutines, reaches no upstream unless logins are relayed, keeps no honest
//     client out for good and holds up no Close.
//   - A client that is refused gets the codes and messages of a real server.
//   - No password is in anything that it logs or returns as an error.
package login
