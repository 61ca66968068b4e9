package watch

import (
	"io/fs"
	"time"
)

// stamp is what stat tells of a file. Equal stamps mean equal contents, unless the file was read
// within a clock tick of its last change.
type stamp struct {
	size         int64
	mode         fs.FileMode
	mtime, ctime int64 // ns since 1970
	id           fileID
}

// fileID identifies a file or directory whatever it is called. The path is used only where the
// system gives no numbers.
type fileID struct {
	dev, ino uint64
	path     string
}

// A file's times come from a clock that ticks every 1 to 10 ms, or every two seconds on file
// systems that keep whole seconds (FAT, HFS+, some NFS). The latter two values leave room, since it
// is cheap to read a file once more.
const (
	kernelTick = 10 * time.Millisecond // CONFIG_HZ=100, the slowest in use
	tick       = 50 * time.Millisecond
	coarseTick = 2500 * time.Millisecond
)

// racy reports whether a write after the file was read, at the given time, could leave the same
// stamp.
func (s stamp) racy(read time.Time) bool {
	t := tick
	if s.mtime%int64(time.Second) == 0 && s.ctime%int64(time.Second) == 0 {
		t = coarseTick
	}
	return time.Unix(0, s.ctime).Add(t).After(read)
}

// after reports whether the file changed after the given time, or within the clock tick before
// that.
func (s stamp) after(t time.Time) bool {
	return time.Unix(0, s.ctime).Add(kernelTick).After(t)
}
