//go:build unix

package osproc

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// StopSignals are the signals that programs end on, by default or by
// convention. SIGSTOP and its kin would only make a stop wait for SIGKILL.
var StopSignals = map[string]syscall.Signal{
	"SIGABRT": syscall.SIGABRT,
	"SIGHUP":  syscall.SIGHUP,
	"SIGINT":  syscall.SIGINT,
	"SIGKILL": syscall.SIGKILL,
	"SIGQUIT": syscall.SIGQUIT,
	"SIGTERM": syscall.SIGTERM,
	"SIGUSR1": syscall.SIGUSR1,
	"SIGUSR2": syscall.SIGUSR2,
}

// SignalName is "SIGKILL" and the like; "signal 40" for a real-time signal, which has no name.
func SignalName(sig syscall.Signal) string {
	if name := unix.SignalName(sig); name != "" {
		return name
	}
	return fmt.Sprintf("signal %d", int(sig))
}

// KilledBy names the signal that ended a process; "" when none did.
func KilledBy(state *os.ProcessState) string {
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return SignalName(ws.Signal())
	}
	return ""
}

// SignalGroup sends a signal to the group that a process leads, unless its pid was given away since
// it was looked at. A group without a process, or one that is not ours to signal, gets nothing.
func (p Process) SignalGroup(sig syscall.Signal) {
	if p.PID > 1 && p.Group == p.PID && p.runs() {
		_ = unix.Kill(-p.PID, sig)
	}
}
