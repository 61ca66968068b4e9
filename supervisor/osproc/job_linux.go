package osproc

import (
	"bytes"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// ignoresJobStop reports whether this process was started with SIGTSTP ignored. signal.Ignored does
// not know: the Go runtime looks at SIGHUP and SIGINT alone when it starts.
func ignoresJobStop() bool {
	status, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := bytes.Cut(status, []byte("\nSigIgn:"))
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	mask, err := strconv.ParseUint(string(bytes.TrimSpace(line)), 16, 64)
	return err == nil && mask&(1<<(unix.SIGTSTP-1)) != 0
}
