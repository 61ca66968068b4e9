// Package hook runs one schema hook: one command, in a session and process
// group of its own, with its output on the terminal as it comes. When a hook
// runs, and that one which keeps changing its own input is suspended, is decided
// in package reload.
//
// Promises:
//   - Run returns when the hook's own process has ended, and then nothing of
//     its process group is left. A background process that the hook leaves
//     behind is killed with the group and cannot keep Run waiting, even when it
//     escaped to a session of its own and holds the hook's output open.
//   - A cancelled context is SIGTERM to the group, Grace for all of it to end,
//     then SIGKILL. Whether a running hook may be cancelled at all is the
//     caller's decision: one that migrates a database should not be.
//   - The hook does not outlive its caller: when the caller's process dies,
//     by kill -9 too, the group is killed (see osproc.Session). What the hook
//     moved to another session (setsid) escapes that.
//   - No file is fingerprinted here, and nothing is kept between two runs.
//
// The hook has no terminal to read from: stdin is the null device and, being in
// a session of its own, it has no /dev/tty. A tool that wants to ask for a
// password fails at once; as a background process of the terminal's session it
// would be stopped by SIGTTIN and hang.
//
// On Windows there are no process groups: only the hook's own process is ended.
package hook
