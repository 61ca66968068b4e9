//go:build !unix

package config

import "syscall"

// stopSignals are those that package syscall knows where there are none; how
// far each can be sent is up to package proc.
var stopSignals = map[string]syscall.Signal{
	"SIGINT":  syscall.SIGINT,
	"SIGKILL": syscall.SIGKILL,
	"SIGTERM": syscall.SIGTERM,
}
