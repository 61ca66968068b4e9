package proc

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// runWarden starts the guardian, and when that has ended ends what it has left.
// It knows nothing else: everything that is or becomes its child, except the
// guardian, is an orphan of the tree.
func runWarden() {
	r, w, err := os.Pipe()
	if err != nil {
		return
	}
	defer w.Close() // by dying, too: that is what the guardian watches
	socket := os.NewFile(socketFD, "devguard")
	inner, err := execSelf(stageGuardian, socket, r)
	socket.Close()
	r.Close()
	if err != nil {
		return
	}
	for {
		pid, err := unix.Wait4(-1, nil, 0, nil)
		if pid == inner.Pid || err == unix.ECHILD {
			break
		}
	}
	for began := time.Now(); !reapOrphans() && time.Since(began) < orphanLimit; time.Sleep(time.Millisecond) {
		killTree(0, false)
	}
}

// reapOrphans reports whether no child is left.
func reapOrphans() bool {
	for {
		pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
		if err == unix.ECHILD {
			return true
		}
		if err == nil && pid == 0 {
			return false
		}
	}
}

// wardenDeath is closed when the warden is dead.
func wardenDeath() <-chan struct{} {
	dead := make(chan struct{})
	f := os.NewFile(wardenFD, "warden")
	go func() {
		defer close(dead)
		var b [1]byte
		_, _ = f.Read(b[:]) // nothing is ever written
	}()
	return dead
}
