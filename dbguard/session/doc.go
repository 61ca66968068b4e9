// Package session is the state of one client and its upstream connection, made of nothing but the bytes that they
// exchange after login. It does no I/O, has no clock, no goroutines and no lock: bytes and the time go in, the bytes to
// pass on and what to know about them come out.
//
// Promises, for any bytes of either side:
//   - Nothing panics, and memory is bounded: see the constants of each mode. Of a message only the few bytes that are
//     needed are kept, the rest streams through.
//   - Mode Pass: bytes out equal bytes in, in order, however they are cut; unknown messages pass. What cannot be a
//     message (an impossible length) ends the session with Err; everything before it has passed.
//   - What is taken from the client is taken in order, and only as much as is passed on: Client's n.
//   - Finish names the shortest orderly way to the end of the upstream session, and never puts bytes into the middle of
//     a message.
//   - No literal, parameter or row is ever kept or told: events and snapshots hold fingerprints.
//
// The protocol is version 3 (manual, chapter 55 "Frontend/Backend Protocol"). What the server does with a message is
// from src/backend/tcop/postgres.c where the manual is silent.
package session
