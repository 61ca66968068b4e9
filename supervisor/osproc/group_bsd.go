//go:build unix && !linux

package osproc

import (
	"errors"

	"golang.org/x/sys/unix"
)

// GroupAlive reports whether the group has a process. launchd waits for orphans
// at once, so a dead one is soon gone. EPERM means yes: one that changed its user.
func GroupAlive(group int) bool { return !errors.Is(unix.Kill(-group, 0), unix.ESRCH) }
