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
