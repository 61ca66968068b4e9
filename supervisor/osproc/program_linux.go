package osproc

import (
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Program is the file that a process executes, without symbolic links; "" when that is not known.
// It may have been removed since.
func Program(pid int) string {
	path, _ := os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe")
	return strings.TrimSuffix(path, " (deleted)")
}

// AwaitEnd waits until a process has ended, which may be nobody's child here. A zombie has.
func (p Process) AwaitEnd() {
	fd, err := unix.PidfdOpen(p.PID, 0)
	if err != nil {
		for err == unix.ENOSYS && p.runs() { // before Linux 5.3
			time.Sleep(lookAgain)
		}
		return // gone
	}
	defer unix.Close(fd)
	for p.runs() {
		if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1); err == nil {
			return
		}
	}
}
