package listeners

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/devguard/devguard/supervisor/osproc"
	"github.com/devguard/devguard/supervisor/seccomp"
)

// errNothing says that a call is none of ours: no TCP socket, a descriptor or an address
// that the kernel is going to refuse, a process that is gone, or that hides from us.
var errNothing = errors.New("no TCP socket")

// socketOf brings a copy of the socket that a call is about.
func socketOf(n seccomp.Notification) (fd int, err error) {
	process, err := pidfd(n.Thread)
	if err != nil {
		return -1, err
	}
	defer unix.Close(process)
	fd, err = unix.PidfdGetfd(process, n.FD, 0)
	switch {
	case errors.Is(err, unix.EBADF), errors.Is(err, unix.ESRCH), errors.Is(err, unix.EPERM) && hides(n.Thread):
		return -1, errNothing
	case err != nil:
		return -1, fmt.Errorf("look at a socket of the app: pidfd_getfd: %w", err)
	case !osproc.IsTCP(fd):
		unix.Close(fd)
		return -1, errNothing
	}
	return fd, nil
}

// pidfd opens the process that makes a call.
func pidfd(thread int) (int, error) {
	fd, err := osproc.PidfdOfThread(thread)
	switch {
	case errors.Is(err, unix.ESRCH):
		return -1, errNothing
	case err != nil:
		return -1, fmt.Errorf("look at a process of the app: pidfd_open: %w", err)
	}
	return fd, nil
}

// hides reports whether a process is not to be looked at by its own user, as agents for keys are
// (PR_SET_DUMPABLE): most of its files in /proc are root's then. They are the user's where no process may
// be looked at.
func hides(thread int) bool {
	info, err := os.Stat("/proc/" + strconv.Itoa(thread) + "/mem")
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	own := os.Geteuid()
	return ok && own != 0 && int(stat.Uid) != own
}

// addressOf reads the address of a bind from the memory of the process.
func addressOf(n seccomp.Notification) (netip.AddrPort, error) {
	b := make([]byte, min(max(n.Length, 0), unix.SizeofSockaddrInet6))
	if len(b) < unix.SizeofSockaddrInet4 {
		return netip.AddrPort{}, errNothing
	}
	local := []unix.Iovec{{Base: &b[0]}}
	local[0].SetLen(len(b))
	got, err := unix.ProcessVMReadv(n.Thread, local, []unix.RemoteIovec{{Base: uintptr(n.Address), Len: len(b)}}, 0)
	switch {
	case errors.Is(err, unix.EFAULT), errors.Is(err, unix.ESRCH), errors.Is(err, unix.EPERM) && hides(n.Thread), err == nil && got < len(b):
		return netip.AddrPort{}, errNothing
	case err != nil:
		return netip.AddrPort{}, fmt.Errorf("read an address of the app: process_vm_readv: %w", err)
	}
	return parseSockaddr(b)
}

// parseSockaddr reads a struct sockaddr_in or sockaddr_in6.
func parseSockaddr(b []byte) (netip.AddrPort, error) {
	port := binary.BigEndian.Uint16(b[2:])
	switch family := binary.NativeEndian.Uint16(b); {
	case family == unix.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), port), nil
	case family == unix.AF_INET6 && len(b) >= unix.SizeofSockaddrInet6:
		a := netip.AddrFrom16([16]byte(b[8:24]))
		if zone := binary.NativeEndian.Uint32(b[24:]); zone != 0 && (a.IsLinkLocalUnicast() || a.IsLinkLocalMulticast()) {
			a = inZone(a, zone)
		}
		return netip.AddrPortFrom(a, port), nil
	}
	return netip.AddrPort{}, errNothing
}

// programOf reads which program a process is about to execute, as it says it and as procfs shows it to us.
func programOf(n seccomp.Notification) (path, within string, err error) {
	b := make([]byte, unix.PathMax)
	local := []unix.Iovec{{Base: &b[0]}}
	local[0].SetLen(len(b))
	page := os.Getpagesize()
	first := page - int(n.Address%uint64(page)) // the next page may not be there
	got, err := unix.ProcessVMReadv(n.Thread, local, []unix.RemoteIovec{
		{Base: uintptr(n.Address), Len: first}, {Base: uintptr(n.Address) + uintptr(first), Len: page},
	}, 0)
	text, _, whole := bytes.Cut(b[:max(got, 0)], []byte{0})
	if err != nil || !whole {
		return "", "", errNothing // also of a process that is not ours to look at: it is the kernel's
	}
	path = string(text)
	process := "/proc/" + strconv.Itoa(n.Thread)
	switch {
	case strings.HasPrefix(path, "/"):
		return path, process + "/root" + path, nil
	case n.FD == unix.AT_FDCWD:
		return path, process + "/cwd/" + path, nil
	}
	within = process + "/fd/" + strconv.Itoa(n.FD)
	if path != "" {
		return path, within + "/" + path, nil
	}
	path, _ = os.Readlink(within)
	return path, within, nil
}

// descriptors counts the descriptors that processes have of each socket.
func descriptors(pids []int) map[uint64]int {
	count, _, _ := survey(pids)
	return count
}

// findSocket brings a copy of a socket that one of the processes has open.
func findSocket(pids []int, inode uint64) (fd int, err error) {
	for _, pid := range pids {
		fd = -1
		_ = osproc.EachDescriptor(pid, func(name, target string) {
			if found, is := osproc.SocketInode(target); is && found == inode && fd < 0 {
				fd = copyOfSocket(pid, name, inode)
			}
		})
		if fd >= 0 {
			return fd, nil
		}
	}
	return -1, errNothing
}

// copyOfSocket copies a descriptor of a process when it leads to that socket still; -1 when not.
func copyOfSocket(pid int, name string, inode uint64) int {
	number, err := strconv.Atoi(name)
	if err != nil {
		return -1
	}
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return -1
	}
	defer unix.Close(process)
	fd, err := unix.PidfdGetfd(process, number, 0)
	if err != nil {
		return -1
	}
	if now, err := inodeOf(fd); err != nil || now != inode {
		unix.Close(fd)
		return -1
	}
	return fd
}

// epollSet is a descriptor of an epoll set in a process.
type epollSet struct {
	pid  int
	name string
}

// survey is descriptors, and the epoll sets of those processes: in one pass, because the app waits for
// it and may have a thousand descriptors. hidden says that one of them does not let us look.
func survey(pids []int) (count map[uint64]int, sets []epollSet, hidden bool) {
	count = map[uint64]int{}
	for _, pid := range pids {
		err := osproc.EachDescriptor(pid, func(name, target string) {
			if inode, ok := osproc.SocketInode(target); ok {
				count[inode]++
			} else if target == "anon_inode:[eventpoll]" {
				sets = append(sets, epollSet{pid, name})
			}
		})
		hidden = hidden || errors.Is(err, fs.ErrPermission)
	}
	return count, sets, hidden
}

// polled reports whether a descriptor is in one of the epoll sets already: put another socket in its
// place, and it is in none any more.
func polled(sets []epollSet, fd int, inode uint64) bool {
	return slices.ContainsFunc(sets, func(s epollSet) bool {
		text, _ := os.ReadFile("/proc/" + strconv.Itoa(s.pid) + "/fdinfo/" + s.name)
		return watches(text, fd, inode)
	})
}

// watches reads the fdinfo of an epoll set: a line `tfd: 7 events: 19 data: 7 pos:0 ino:2a1f
// sdev:8` for each descriptor; ino is there since Linux 4.13.
func watches(fdinfo []byte, fd int, inode uint64) bool {
	for line := range bytes.Lines(fdinfo) {
		fields := strings.Fields(strings.ReplaceAll(string(line), ":", ": "))
		if len(fields) < 2 || fields[0] != "tfd:" {
			continue
		}
		same := fields[1] == strconv.Itoa(fd)
		for i, name := range fields[:len(fields)-1] {
			if name == "ino:" {
				n, err := strconv.ParseUint(fields[i+1], 16, 64)
				same = err == nil && n == inode
			}
		}
		if same {
			return true
		}
	}
	return false
}

// closesOnExec reports whether a descriptor of a process has the flag close-on-exec.
func closesOnExec(thread, fd int) (bool, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(thread) + "/fdinfo/" + strconv.Itoa(fd))
	if err != nil {
		return false, err
	}
	_, after, _ := strings.Cut(string(text), "flags:")
	line, _, _ := strings.Cut(after, "\n")
	flags, err := strconv.ParseUint(strings.TrimSpace(line), 8, 64)
	return flags&unix.O_CLOEXEC != 0, err
}
