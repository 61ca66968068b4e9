//go:build unix && !linux

package hook

import "syscall"

// attributes of the hook's process.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true}
}
