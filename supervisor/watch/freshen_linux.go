package watch

import "golang.org/x/sys/unix"

// freshen has the kernel ask the server of a file system about path. Without that it answers by
// what it has kept: for a second on FUSE and virtiofs, by which a container has the folders of its
// host, and for up to a minute on NFS. Where there is no server it costs one more stat.
func freshen(path string) error {
	var st unix.Statx_t
	return unix.Statx(unix.AT_FDCWD, path, unix.AT_STATX_FORCE_SYNC, unix.STATX_BASIC_STATS, &st)
}
