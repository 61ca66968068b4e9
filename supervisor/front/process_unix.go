//go:build unix

package front

import (
	"os"
	"syscall"
)

// apart has the process in a group of its own: Ctrl-C at a terminal does not reach it.
var apart = &syscall.SysProcAttr{Setpgid: true}

// program is this one, also when it was removed.
func program() (string, error) {
	if _, err := os.Stat("/proc/self/exe"); err == nil {
		return "/proc/self/exe", nil
	}
	return os.Executable()
}
