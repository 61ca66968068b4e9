package proc

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/devguard/devguard/supervisor/osproc"
)

// There is no subreaper here, so a warden would learn nothing.
const outermost = stageGuardian

// The requests of tcgetattr(3), and of tcsetattr(3) with TCSANOW.
const (
	getTermios = unix.TIOCGETA
	setTermios = unix.TIOCSETA
)

func runWarden() {}

func wardenDeath() <-chan struct{} { return nil }

// setUp keeps descriptors that devguard itself inherited from the app.
func setUp() {
	for fd := socketFD; fd < 256; fd++ {
		unix.CloseOnExec(fd)
	}
}

func appAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// treeGone: a group of zombies alone answers EPERM on this system.
func treeGone(_ bool, group int) bool { return unix.Kill(-group, 0) != nil }

// killTree kills the group and the descendants that have left it.
func killTree(group int, _ bool) {
	for _, p := range members(group) {
		if p.Group != group && !p.Zombie {
			p.Kill()
		}
	}
	_ = unix.Kill(-group, unix.SIGKILL)
}

func installFilter(string, []string) (fd int, asksExec bool, err error) {
	return -1, false, errors.ErrUnsupported
}

// noexec reports whether the file's file system refuses to execute.
func noexec(path string) bool {
	var st unix.Statfs_t
	return unix.Statfs(path, &st) == nil && st.Flags&unix.MNT_NOEXEC != 0
}

// members are the processes of the group and their descendants. Guardians are
// not among them, so the roots play no role here.
func members(group int, _ ...int) []osproc.Process {
	if group == 0 {
		return nil
	}
	all := osproc.Processes()
	in := map[int]bool{}
	var tree []osproc.Process
	for grown := true; grown; {
		grown = false
		for _, p := range all {
			if !in[p.PID] && (p.Group == group || in[p.PPID]) {
				in[p.PID], grown = true, true
				tree = append(tree, p)
			}
		}
	}
	return tree
}

// runInit: no container makes a process 1 here.
func runInit() int { return 1 }
