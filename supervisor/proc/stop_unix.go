//go:build linux || darwin

package proc

import (
	"time"

	"golang.org/x/sys/unix"
)

// endGroup kills what is left of a group whose leader nobody guards any more.
// The bound is for members that cannot be killed.
func endGroup(group int) {
	deadline := time.Now().Add(killWait)
	for unix.Kill(-group, unix.SIGKILL) == nil && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond) // init reaps them; there is nothing to wait on
	}
}
