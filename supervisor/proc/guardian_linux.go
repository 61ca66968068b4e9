package proc

import (
	"math"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/devguard/devguard/supervisor/osproc"
)

const outermost = stageWarden

// self is the running program even when its file was replaced or removed since:
// `go run` removes it, a rebuild replaces it.
func self() (string, error) { return "/proc/self/exe", nil }

// setUp makes orphans of the tree our children, gives ps a name to show, and
// keeps descriptors that devguard itself inherited from the app.
func setUp() {
	_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)      // cannot fail since Linux 3.4
	_ = os.WriteFile("/proc/self/comm", []byte(guardianName), 0) // else it shows as "exe"
	if unix.CloseRange(socketFD, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC) != nil {
		for fd := socketFD; fd < 256; fd++ { // before Linux 5.11
			unix.CloseOnExec(fd)
		}
	}
}

// appAttr: the app leads a group, and dies with the guardian.
func appAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

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
	inner, err := execSelf(stageApp, socket, r)
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
	for began := time.Now(); !reapOrphans() && time.Since(began) < giveUp; time.Sleep(time.Millisecond) {
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

// treeGone: a subreaper without a child has no descendant.
func treeGone(childless bool, _ int) bool { return childless }

// killTree kills every descendant, again and again until a look at the
// processes shows none that was not killed before: one that forks faster than
// it is found leaves children, and they are found at the next look. The bound
// hands back to the caller, who reaps and comes again.
func killTree(group int, running bool) {
	if running {
		_ = unix.Kill(-group, unix.SIGKILL) // at once for all members, forks under way included
	}
	killed := map[osproc.Process]bool{}
	for range 100 {
		fresh := false
		for _, p := range members(0, os.Getpid()) {
			if !p.Zombie && !killed[p] {
				fresh = true
				killed[p] = true
				p.Kill() // EPERM: it stays, and Stop reports it
			}
		}
		if !fresh {
			return
		}
	}
}

// noexec reports whether the file's file system refuses to execute.
func noexec(path string) bool {
	var st unix.Statfs_t
	return unix.Statfs(path, &st) == nil && st.Flags&unix.MS_NOEXEC != 0 // ST_NOEXEC has the same value
}
