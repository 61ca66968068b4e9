package osproc

import (
	"bytes"

	"golang.org/x/sys/unix"
)

// Program is the file that a process executes; "" when that is not known.
func Program(pid int) string {
	b, err := unix.SysctlRaw("kern.procargs2", pid) // the number of arguments, the file, the arguments
	if err != nil || len(b) < 4 {
		return ""
	}
	path, _, _ := bytes.Cut(b[4:], []byte{0})
	return string(path)
}
