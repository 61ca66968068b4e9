//go:build !unix

package osproc

import (
	"os"
	"syscall"
)

// StopSignals are those that package syscall knows where there are none; how far each can be sent
// is up to who sends it.
var StopSignals = map[string]syscall.Signal{
	"SIGINT":  syscall.SIGINT,
	"SIGKILL": syscall.SIGKILL,
	"SIGTERM": syscall.SIGTERM,
}

// SignalName is what package syscall calls it.
func SignalName(sig syscall.Signal) string { return sig.String() }

// KilledBy is empty: nothing ends by a signal here.
func KilledBy(*os.ProcessState) string { return "" }

// SignalGroup does nothing: there are no groups here.
func (p Process) SignalGroup(syscall.Signal) {}
