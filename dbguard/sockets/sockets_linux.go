package sockets

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"strconv"
	"syscall"

	"github.com/devguard/devguard/supervisor/osproc"
)

// Connections returns the established TCP connections of the processes pids. A process that has
// ended has none. When some process may not be looked at, the connections of the others come with
// the error.
func Connections(pids []int) ([]Conn, error) {
	var list []Conn
	err := each(pids, established, func(r row) {
		list = append(list, Conn{r.local, r.remote})
	})
	return sortedConns(list), err
}

// Listening returns the TCP addresses that the processes pids listen on.
func Listening(pids []int) []netip.AddrPort {
	var list []netip.AddrPort
	_ = each(pids, listen, func(r row) { list = append(list, r.local) })
	return sortedPorts(list)
}

// Established returns every established TCP connection of this machine, more exactly of the network
// namespace that this process is in.
func Established() ([]Conn, error) {
	var list []Conn
	err := tables(ownNet, established, func(r row) {
		list = append(list, Conn{r.local, r.remote})
	})
	return sortedConns(list), err
}

// Owner returns a process that listens where one that wants to listen at that address cannot, and its
// name. Without an IP that is any address of the port. ok is false when nobody listens, or the process
// is another user's and hidden.
func Owner(at netip.AddrPort) (pid int, name string, ok bool) {
	wanted := map[uint64]bool{}
	_ = tables(ownNet, listen, func(r row) {
		if overlap(r.local, at) {
			wanted[r.inode] = true
		}
	})
	if len(wanted) == 0 {
		return 0, "", false
	}
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || !holds(pid, wanted) {
			continue
		}
		comm, _ := os.ReadFile("/proc/" + e.Name() + "/comm")
		return pid, string(bytes.TrimSpace(comm)), true
	}
	return 0, "", false
}

// holds reports whether process pid has one of the sockets.
func holds(pid int, wanted map[uint64]bool) bool {
	own := map[uint64]bool{}
	_ = inodes(pid, own)
	for inode := range own {
		if wanted[inode] {
			return true
		}
	}
	return false
}

// each yields the sockets of pids that are in state want. The tables are read once for each network
// namespace: processes of one tree share one, mostly.
func each(pids []int, want state, yield func(row)) error {
	type space struct {
		dir  string
		held map[uint64]bool
	}
	var failed []error
	spaces := map[string]*space{}
	own, _ := os.Readlink("/proc/self/ns/net")
	for _, pid := range pids {
		dir := "/proc/" + strconv.Itoa(pid) + "/"
		name, err := os.Readlink(dir + "ns/net")
		if err != nil {
			name = dir // not ours to look at: its own tables then
		}
		s := spaces[name]
		if s == nil {
			s = &space{dir + "net/", map[uint64]bool{}}
			if name == own {
				s.dir = ownNet
			}
			spaces[name] = s
		}
		if err := inodes(pid, s.held); err != nil {
			failed = append(failed, fmt.Errorf("look at the sockets of pid %d: %w", pid, err))
		}
	}
	for _, s := range spaces {
		if len(s.held) == 0 {
			continue
		}
		err := tables(s.dir, want, func(r row) {
			if s.held[r.inode] {
				yield(r)
			}
		})
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// inodes adds the sockets of process pid to held. A process that has ended has none, which is no
// error.
func inodes(pid int, held map[uint64]bool) error {
	return unlessGone(osproc.EachDescriptor(pid, func(_, target string) {
		if inode, ok := osproc.SocketInode(target); ok {
			held[inode] = true
		}
	}))
}

// ownNet is the procfs directory of our own network namespace.
const ownNet = "/proc/self/net/"

// tables yields the sockets in state want of the network namespace whose procfs directory is dir.
// For our own it asks inet_diag, which is much cheaper, and reads procfs only when that fails.
func tables(dir string, want state, yield func(row)) error {
	if dir != ownNet {
		return procfs(dir, want, yield)
	}
	var rows []row // a dump that fails half way counts for nothing
	if err := diagnose(want, func(r row) { rows = append(rows, r) }); err != nil {
		return procfs(dir, want, yield)
	}
	for _, r := range rows {
		yield(r)
	}
	return nil
}

// procfs yields the sockets in state want from the tables in dir. IPv6 may be absent from the
// kernel.
func procfs(dir string, want state, yield func(row)) error {
	for _, name := range []string{"tcp", "tcp6"} {
		table, err := os.ReadFile(dir + name)
		if err := unlessGone(err); err != nil {
			return fmt.Errorf("read the TCP table: %w", err)
		}
		parseTable(table, want, yield)
	}
	return nil
}

// unlessGone returns err unless it says that the process, or the table, is not there. ESRCH and
// EINVAL are procfs's answers for a process that is ending.
func unlessGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) || errors.Is(err, syscall.EINVAL) {
		return nil
	}
	return err
}
