package osproc

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// EachDescriptor yields the open descriptors of a process and what they lead to, as procfs
// writes it. The error is that of a process that is gone or not ours to look at.
func EachDescriptor(pid int, yield func(fd, target string)) error {
	dir, err := os.Open("/proc/" + strconv.Itoa(pid) + "/fd")
	if err != nil {
		return err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	var link [128]byte
	for _, name := range names {
		// readlinkat on the open directory: one short look-up a descriptor. It fails for one that was
		// closed since it was listed.
		if n, err := unix.Readlinkat(int(dir.Fd()), name, link[:]); err == nil {
			yield(name, string(link[:n]))
		}
	}
	return err
}

// SocketInode returns the inode of the socket that a descriptor leads to; not ok when that is
// none.
func SocketInode(target string) (inode uint64, ok bool) {
	name, begins := strings.CutPrefix(target, "socket:[")
	name, ends := strings.CutSuffix(name, "]")
	if !begins || !ends {
		return 0, false
	}
	inode, err := strconv.ParseUint(name, 10, 64)
	return inode, err == nil
}

// PidfdOfThread opens a thread, or before Linux 6.9 its process. Only a thread that has unshared
// its descriptors has others than its process. The error of one that is gone is unix.ESRCH.
func PidfdOfThread(thread int) (int, error) {
	const pidfdThread = unix.O_EXCL
	fd, err := unix.PidfdOpen(thread, pidfdThread)
	if errors.Is(err, unix.EINVAL) {
		var leader int
		if leader, err = leaderOf(thread); err == nil {
			fd, err = unix.PidfdOpen(leader, 0)
		}
	}
	if errors.Is(err, os.ErrNotExist) {
		err = unix.ESRCH
	}
	return fd, err
}

// leaderOf is the process that a thread is of.
func leaderOf(thread int) (int, error) {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(thread) + "/status")
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(status), "\nTgid:")
	line, _, _ := strings.Cut(after, "\n")
	return strconv.Atoi(strings.TrimSpace(line))
}

// IsTCP reports whether a socket of ours can be one of TCP.
func IsTCP(fd int) bool {
	family, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil || family != unix.AF_INET && family != unix.AF_INET6 {
		return false
	}
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	return err == nil && kind == unix.SOCK_STREAM
}
