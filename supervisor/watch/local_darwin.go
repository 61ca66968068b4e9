package watch

import "golang.org/x/sys/unix"

// local reports whether events on the file system of dir can be relied on.
func local(dir string) (bool, string) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return true, ""
	}
	return st.Flags&unix.MNT_LOCAL != 0, unix.ByteSliceToString(st.Fstypename[:])
}
