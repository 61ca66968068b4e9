// Package session follows the bytes that one client and its upstream exchange after the login.
// Bytes and the time go in; the bytes to pass on and what is worth knowing about them come out. It
// does no I/O and has no clock, no goroutines and no lock.
//
// Promises, for any bytes of either side:
//   - Nothing panics, and memory is bounded: see the constants of each mode. Of a message only the
//     few bytes that are needed are kept, the rest streams through.
//   - Mode Pass: bytes out equal bytes in, in order, however they are cut; unknown messages pass.
//     What cannot be a message (an impossible length) ends the session with Err; everything before
//     it has passed.
//   - Client takes bytes in order, and says how many it has taken.
//   - Finish names the shortest orderly way to the end of the upstream session, and never puts
//     bytes into the middle of a message.
//   - No literal, parameter or row is ever kept or told: events and snapshots hold fingerprints.
//
// The protocol is version 3 (manual, chapter 55 "Frontend/Backend Protocol"). What the server does
// with a message is from src/backend/tcop/postgres.c where the manual is silent.
package session
