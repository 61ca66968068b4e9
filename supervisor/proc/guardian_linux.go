package proc

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"unicode"

	"golang.org/x/sys/unix"

	"github.com/devguard/devguard/supervisor/osproc"
	"github.com/devguard/devguard/supervisor/seccomp"
)

const outermost = stageWarden

// The requests of tcgetattr(3), and of tcsetattr(3) with TCSANOW.
const (
	getTermios = unix.TCGETS
	setTermios = unix.TCSETS
)

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

// blockJobStop keeps Ctrl-Z away from a child until it is a guardian, if the thread that forks it
// asks. Before it has a group of its own, a child is in the one that Ctrl-Z is sent to. Stopped
// there it would not be continued by `fg`, which continues our group, and our thread would wait in
// vfork for ever, and soon every other for the garbage collector.
func blockJobStop(block bool) {
	how := unix.SIG_UNBLOCK
	if block {
		how = unix.SIG_BLOCK
	}
	set := &unix.Sigset_t{}
	set.Val[0] = 1 << (unix.SIGTSTP - 1)
	_ = unix.PthreadSigmask(how, set, nil) // fails only for a wrong argument
}

// appAttr: the app leads a group, and dies with the guardian.
func appAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// installFilter has the calling thread, and what it forks, ask devguard before bind and
// listen. Not for a program that runs with other privileges than ours, nor for a command that
// has one in it (sh -c "sudo ..."): without CAP_SYS_ADMIN the filter would take them from it.
func installFilter(path string, args []string) (fd int, asksExec bool, err error) {
	for _, program := range append(programsIn(args), path) {
		if has := osproc.Privileges(program); has != "" {
			return -1, false, fmt.Errorf("%s %s", program, has)
		}
	}
	return seccomp.Install()
}

// maxWords bounds what is looked for in PATH before a start.
const maxWords = 64

// programsIn returns the programs that a command line may name, also within the text of a shell.
func programsIn(args []string) []string {
	var found []string
	words := strings.FieldsFunc(strings.Join(args, " "), func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`;&|()'"`+"`", r) })
	for _, word := range words[:min(len(words), maxWords)] {
		if strings.HasPrefix(word, "-") {
			continue
		}
		if path, err := exec.LookPath(word); err == nil {
			found = append(found, path)
		}
	}
	return found
}

// noexec reports whether the file's file system refuses to execute.
func noexec(path string) bool {
	var st unix.Statfs_t
	return unix.Statfs(path, &st) == nil && st.Flags&unix.MS_NOEXEC != 0 // ST_NOEXEC has the same value
}
