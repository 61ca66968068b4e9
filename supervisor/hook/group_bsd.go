//go:build unix && !linux

package hook

import "syscall"

// attributes of the hook's process.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true}
}

// alive reports whether the group has a process. launchd waits for orphans at
// once, so a dead one is soon gone.
func (g group) alive() bool { return g.exists() }
