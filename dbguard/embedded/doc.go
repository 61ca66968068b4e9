// Package embedded runs a private Postgres for one project.
//
// It promises:
//
//   - One server a project, whatever the number of devguards: each holds a share of it (Acquire,
//     Close), the first one starts it. Its data is kept between runs and never deleted by this
//     package.
//   - It ends with the last share, also when devguards die by SIGKILL: a share is a shared flock on
//     .devguard/embedded.lock, which the kernel drops, and the server runs under a guardian process
//     (Guardian) that waits for the exclusive lock. A devguard that arrives while the server stops
//     waits for the end and starts another.
//   - A guardian killed by SIGKILL takes the server along on Linux; anywhere, the next Acquire ends
//     what is left of it before it starts another.
//   - It listens on 127.0.0.1 alone, on the port of last time if that is free, and asks for a SCRAM
//     password that only this user can read.
//
// Files: .devguard/embedded/ holds locks, server.log and server.json (the address of the running or
// last server); as an ordinary user also the data and the password. PostgreSQL refuses to run as
// root: for root the server runs as the account postgres, else nobody, with data, password and
// fetched programs under /var/lib/devguard/<16 hex of sha256(project path)>/, since that account
// must be able to reach them.
//
// The order of locks is embedded.lock (shared), start.lock, guardian.lock.
package embedded
