package watch

import (
	"os"
	"strings"
)

const (
	watchHint    = "sudo sysctl fs.inotify.max_user_watches=524288 (and put that line into /etc/sysctl.d/ to keep it)"
	filesHint    = "raise the limit of open files: ulimit -n 4096"
	overflowHint = "if this happens often: sudo sysctl fs.inotify.max_queued_events=65536"
)

// watchLimit is the kernel's limit for one user, in brackets.
func watchLimit() string { return limit("max_user_watches") }

func instancesHint() string {
	return "too many programs of this user watch files" + limit("max_user_instances") +
		": sudo sysctl fs.inotify.max_user_instances=512, or raise the limit of open files (ulimit -n)"
}

func limit(name string) string {
	b, err := os.ReadFile("/proc/sys/fs/inotify/" + name)
	if err != nil {
		return ""
	}
	return " (fs.inotify." + name + " = " + strings.TrimSpace(string(b)) + ")"
}
