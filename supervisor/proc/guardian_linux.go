package proc

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

// appAttr: the app leads a group, and dies with the guardian.
func appAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// installFilter has the calling thread, and what it forks, ask devguard before bind and
// listen. Not for a program that runs with other privileges than ours, nor, where the filter takes them
// from it, for a shell that starts one (sh -c "sudo ..."): it would fail once before that is noticed.
func installFilter(path string, args []string) (fd int, asksExec bool, err error) {
	if err := privileged(path); err != nil {
		return -1, false, err
	}
	return seccomp.Install(func() error {
		for _, program := range programsIn(shellText(path, args)) {
			if err := privileged(program); err != nil {
				return err
			}
		}
		return nil
	})
}

// privileged is an error that says which privileges a program has; nil when it has none.
func privileged(program string) error {
	if has := osproc.Privileges(program); has != "" {
		return fmt.Errorf("%s %s", program, has)
	}
	return nil
}

// shellText is what a shell that is started directly, or by something like env, is to do; "" without
// one. Other arguments are no programs: `bot ping` is none of ping's.
func shellText(path string, args []string) string {
	words := append([]string{path}, args...)
	for i, word := range words[:max(len(words)-2, 0)] {
		options := words[i+1]
		if slices.Contains(shells, filepath.Base(word)) && strings.HasPrefix(options, "-") && strings.Contains(options, "c") {
			return words[i+2]
		}
	}
	return ""
}

var shells = []string{"sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish"}

// maxWords bounds what is looked for in PATH before a start.
const maxWords = 64

// programsIn returns the programs that the text of a shell may name.
func programsIn(text string) []string {
	var found []string
	words := strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`;&|()'"`+"`", r) })
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
