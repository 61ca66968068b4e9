// Package proc runs one process tree under a guardian and ends it, always.
//
// A Launcher starts an Instance; Instance.Stop ends it (stop.go: signal, grace,
// kill), Suspend and Continue are its job control (suspend.go, job_unix.go). A
// guardian is this program executed again; main calls Guardian first. It starts
// the app as its child, is told by devguard over a socket what to do, and takes
// the end of that socket for devguard's death (guardian_unix.go, its states in
// phase_unix.go):
//
//	devguard ── warden ── guardian ── app ── whatever the app starts
//
// The warden is there for the guardian's own death (warden_linux.go).
//
// The promises:
//
//   - Stop ends: signal, grace, SIGKILL of the tree. It returns early when the
//     app does.
//   - On Linux the tree is every descendant, however it daemonised: guardian
//     and warden are child subreapers, so an orphan becomes their child. They
//     kill until wait4 knows of no child.
//   - On Linux kill -9 of any two of devguard, warden and guardian leaves
//     nothing running. When all three die, the app still dies (parent-death
//     signal); what it had started is left to the next start
//     (supervisor/statedir).
//   - On macOS there is one guardian and no subreaper: the tree is the app's
//     process group and the descendants seen at the stop. A process that
//     daemonised out of both is reported in StopResult.Left when it was seen,
//     not promised.
//   - The app has what a shell would have given it: the files, environment,
//     limits, signal mask and dispositions devguard itself was started with. It
//     leads a process group of its own.
//   - Nothing here waits for a process it did not start, so no exit status of
//     an os/exec child elsewhere in devguard is ever stolen.
//
// Done of an Instance always comes. Windows has no process groups of this kind:
// Start says so.
package proc
