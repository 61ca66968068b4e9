package watch

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/devguard/devguard/supervisor/osproc"
)

// InUse returns how many watches, and how many watchers, this user has, and may have. Those of
// processes that may not be looked at are not counted.
func InUse() (watches, watchers Usage) {
	watches.Limit = lowest("/proc/sys/fs/inotify/max_user_watches", "/proc/sys/user/max_inotify_watches")
	watchers.Limit = lowest("/proc/sys/fs/inotify/max_user_instances", "/proc/sys/user/max_inotify_instances")
	processes, _ := filepath.Glob("/proc/[0-9]*")
	for _, process := range processes {
		info, err := os.Stat(process)
		if err != nil {
			continue // it has ended
		}
		pid, err := strconv.Atoi(filepath.Base(process))
		if stat, ok := info.Sys().(*syscall.Stat_t); err == nil && ok && int(stat.Uid) == os.Geteuid() {
			count(pid, &watches, &watchers)
		}
	}
	return watches, watchers
}

// count adds what one process has.
func count(pid int, watches, watchers *Usage) {
	_ = osproc.EachDescriptor(pid, func(fd, target string) { // none of a process that has ended
		if target != "anon_inode:inotify" {
			return
		}
		watchers.Used++
		info, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/fdinfo/" + fd)
		for line := range bytes.Lines(info) {
			if bytes.HasPrefix(line, []byte("inotify wd:")) {
				watches.Used++
			}
		}
	})
}

// lowest returns the lowest of numbers in files, 0 when there is none. A user namespace has limits
// of its own.
func lowest(files ...string) (n int) {
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if limit, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && (n == 0 || limit < n) {
			n = limit
		}
	}
	return n
}
