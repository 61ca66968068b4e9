//go:build unix

package config

import "syscall"

// stopSignals are the signals that programs end on, by default or by
// convention. SIGSTOP and its kin would only make the stop wait for SIGKILL.
var stopSignals = map[string]syscall.Signal{
	"SIGABRT": syscall.SIGABRT,
	"SIGHUP":  syscall.SIGHUP,
	"SIGINT":  syscall.SIGINT,
	"SIGKILL": syscall.SIGKILL,
	"SIGQUIT": syscall.SIGQUIT,
	"SIGTERM": syscall.SIGTERM,
	"SIGUSR1": syscall.SIGUSR1,
	"SIGUSR2": syscall.SIGUSR2,
}
