// Package listeners has listening sockets outlive the app's generations, so that no
// connection is refused in a restart. What becomes of each is decided by package hold.
//
// A Holder is told of each generation, with the notifications of its seccomp filter
// (package seccomp): each bind and listen of its tree waits for our answer. At listen a
// copy of the socket is brought here; at bind of a later generation the copy is put in
// the place of the app's own socket.
//
// The copies are kept by a small process of its own (Keeper): what stands in package
// scripts, `fuser -k 8080/tcp` or `kill-port 3000`, kills whoever has the port, and
// costs only the connections that wait.
//
// The promises:
//
//   - A call of the app is always answered, and within a fraction of a millisecond
//     unless something waits for the processor. Whatever fails is answered by having
//     the kernel do the call, and ends holding with one line that says why.
//   - What the Holder has told package hold is visible to Untaken and Holds before the
//     app goes on.
//   - Nothing is on the path of the data: accepted connections are the app's.
//
// Linux on x86-64 and arm64; elsewhere nothing is ever held.
package listeners
