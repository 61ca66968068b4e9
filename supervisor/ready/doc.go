// Package ready says when an instance serves: by an HTTP request, a TCP
// connect, its first listening socket, or, for a program that listens on
// nothing, by being alive for a second.
//
// Promises:
//   - Wait returns within a few per cent of the time waited after the instance
//     became ready, and at once when its process exits or ctx is cancelled.
//   - Looking costs little: a look is repeated after at least a millisecond, 2 %
//     of the time waited so far, and three times what the last look cost (the
//     listening sockets of a process tree are read from the whole of /proc).
//   - A request goes where it says: no proxy of the environment, no redirect
//     followed, no connection kept.
//   - A time that is over begins anew when the instance goes on that a debugger had stopped.
//   - No goroutine of ours outlives Wait, and no connection of net/http for longer
//     than it takes to close.
package ready
