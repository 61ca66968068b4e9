// Package osproc is what the operating system knows of processes, in one place for all that start,
// find and end them.
//
//   - Process, Look, Processes, Alive: what /proc/PID/stat says, on macOS what sysctl says.
//   - Group, Session: commands that do not outlive this process, however it dies. A Group runs
//     several commands and knows when all that they started is gone; a Session runs one, away from
//     the terminal.
//   - EndWithParent: the kernel's own notice of a parent's death, on Linux alone.
//   - NotifyJobStop, StopOwnGroup, StopSelf, Continuable: Ctrl-Z, and whether there is a shell for it.
//   - SignalName, KilledBy, StopSignals: signals by name.
//
// Windows has none of this but single processes: there it builds, and does what is left.
package osproc
