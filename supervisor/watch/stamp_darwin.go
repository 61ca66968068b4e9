package watch

import (
	"io/fs"
	"syscall"
)

func stampOf(path string, info fs.FileInfo) stamp {
	s := stamp{size: info.Size(), mode: info.Mode(), mtime: info.ModTime().UnixNano()}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		s.id.path = path
		return s
	}
	s.ctime = st.Ctimespec.Nano()
	s.id = fileID{dev: uint64(st.Dev), ino: st.Ino}
	return s
}
