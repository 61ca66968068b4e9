package build

import (
	"io/fs"
	"syscall"
	"time"
)

// changed is when a file was last written, or given its name: a file that is moved to its place keeps
// the time of its last modification.
func changed(info fs.FileInfo) time.Time {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(0, st.Ctimespec.Nano())
	}
	return info.ModTime()
}
