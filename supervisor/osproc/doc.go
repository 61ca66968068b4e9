// Package osproc is what the operating system knows of processes, in one place for all that start,
// find and end them.
//
//   - Process, Look, Processes, Alive, Program: what /proc/PID says, on macOS what sysctl says.
//   - AwaitEnd: the end of a process that is nobody's child here.
//   - Group, Session: commands that do not outlive this process, however it dies. A Group runs
//     several commands and knows when all that they started is gone; a Session runs one, away from
//     the terminal.
//   - EndWithParent: the kernel's own notice of a parent's death, on Linux alone.
//   - NotifyJobStop, StopOwnGroup, StopSelf, Continuable: Ctrl-Z, and whether there is a shell for it.
//   - StartApart, Apart, TakeJobStop: no Ctrl-Z for a child on its way to another group.
//   - SignalName, KilledBy, StopSignals: signals by name.
//
// Windows has none of this but single processes: there it builds, and does what is left.
package osproc
