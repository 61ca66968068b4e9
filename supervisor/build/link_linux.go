package build

import (
	"debug/elf"
	"time"

	"golang.org/x/sys/unix"
)

// linkBegan returns when the linker began to make a program: its file is the first thing that it makes
// (cmd/link/internal/ld, libinit), and the go command renames that. Zero when the file system does not
// know when a file was made, or a C compiler has linked, which makes the file anew at its end.
//
// The go command would say it itself (-debug-trace, -debug-actiongraph), but these flags are of no
// promised form, and take time.
func linkBegan(program string) time.Time {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, program, 0, unix.STATX_BTIME, &st)
	if err != nil || st.Mask&unix.STATX_BTIME == 0 || byC(program) {
		return time.Time{}
	}
	return time.Unix(st.Btime.Sec, int64(st.Btime.Nsec))
}

// byC reports whether the linker of a C compiler has made a program, or that is not known. Go's own
// leaves out what only crt1.o, crti.o and libgcc bring.
func byC(program string) bool {
	f, err := elf.Open(program)
	if err != nil {
		return true
	}
	defer f.Close()
	for _, name := range []string{".init", ".eh_frame", ".comment"} {
		if f.Section(name) != nil {
			return true
		}
	}
	return false
}
