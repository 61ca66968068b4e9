// Package build runs one `go build` and says what came of it.
//
// It promises that:
//   - Run returns only when the go command and every process it started are
//     gone, whether it ended, failed or was cancelled, so two calls in a row
//     never overlap;
//   - when devguard itself is killed, also by SIGKILL, the build's process
//     group is killed with it (see osproc.Group);
//   - a cancelled or failed build leaves neither a work directory nor a binary;
//   - the user's compile cache stays shared: only flags that concern the link
//     are added to the user's own;
//   - of packages whose files were written while it ran, that cache keeps nothing
//     of it (see forgetMixed);
//   - two builds of sources that differ in nothing a running program can
//     observe have the same Digest (see Digest);
//   - no line the go command printed is lost: Output has them all, and so do the
//     Diagnostics together.
package build
