package fastbuild

import (
	"io/fs"
	"syscall"
	"time"
)

const supported = true

// stamp is what stat tells of a file. The time of change is set by the kernel with each write, so that
// a file which was given its old size and modification time back has another stamp.
type stamp struct {
	size         int64
	mtime, ctime int64 // ns since 1970
	dev, ino     uint64
}

func stampOf(info fs.FileInfo) stamp {
	s := stamp{size: info.Size(), mtime: info.ModTime().UnixNano()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		s.ctime, s.dev, s.ino = st.Ctim.Nano(), uint64(st.Dev), st.Ino
	}
	return s
}

// The clock of a file's times ticks every 1 to 10 ms, or every two seconds on file systems that keep
// whole seconds (FAT, some NFS).
const (
	tick       = 20 * time.Millisecond
	coarseTick = 2500 * time.Millisecond
)

// racy reports whether a write after a look at that time could leave the same stamp.
func (s stamp) racy(look time.Time) bool {
	if s == (stamp{}) {
		return false // of no file
	}
	t := tick
	if s.mtime%int64(time.Second) == 0 && s.ctime%int64(time.Second) == 0 {
		t = coarseTick
	}
	return time.Unix(0, s.ctime).Add(t).After(look)
}
