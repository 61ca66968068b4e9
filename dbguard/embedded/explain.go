package embedded

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/devguard/devguard/supervisor/logline"
)

// explain makes of a failed start and what the server logged since offset an error: the reason,
// where the rest is and, as its hint, what to do.
func explain(err error, path string, offset int64) error {
	text := logSince(path, offset)
	if strings.Contains(text, "Address already in use") {
		return errPortTaken
	}
	reason := ""
	for line := range strings.Lines(text) {
		for _, level := range []string{"FATAL:", "PANIC:", "could not", "error while loading"} {
			if _, rest, ok := strings.Cut(line, level); ok && reason == "" {
				reason = ": " + strings.TrimSpace(strings.TrimSuffix(level, ":")+rest)
			}
		}
	}
	return logline.WithHint(fmt.Errorf("start the embedded Postgres: %w%s; its log is %s", err, reason, path), hint(text))
}

func logSince(path string, offset int64) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	b, _ := io.ReadAll(io.NewSectionReader(f, offset, 64<<10))
	return string(b)
}

// hint says what to do about what PostgreSQL's programs complain of.
func hint(text string) string {
	for _, h := range []struct{ sign, hint string }{
		{"No space left on device", "the disk is full: free some space and start again"},
		{"Disk quota exceeded", "the disk quota is used up: free some space and start again"},
		{"Read-only file system", "the file system is read-only"},
		{"Operation not permitted", "the file system does not allow what a database needs: keep the project on a local disk"},
		{"lock file \"postmaster.pid\" already exists", "if no PostgreSQL runs on that folder, remove the file"},
		{"could not resize shared memory", "/dev/shm is too small: run the container with --shm-size=256m"},
		{"could not create shared memory", "shared memory is used up: stop other database servers, or raise kern.sysv.shmmax"},
		{"incompatible with server", "install the version that made the data, or remove the folder to start with an empty database"},
		{"has invalid permissions", "run chmod 700 on the data folder"},
		{"has wrong ownership", "the data belongs to another account: run devguard as that user, or remove the folder"},
	} {
		if strings.Contains(text, h.sign) {
			return h.hint
		}
	}
	return ""
}
