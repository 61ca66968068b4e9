package sockets

import (
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"strconv"
	"strings"
)

// Connections returns the established TCP connections of the processes pids. A process that has
// ended has none.
func Connections(pids []int) ([]Conn, error) {
	out, err := lsof(pids, "-iTCP", "-sTCP:ESTABLISHED")
	return lsofConns(out), err
}

// Listening returns the TCP addresses that the processes pids listen on.
func Listening(pids []int) []netip.AddrPort {
	out, _ := lsof(pids, "-iTCP", "-sTCP:LISTEN")
	return lsofPorts(out)
}

// Established returns every established TCP connection of this machine. It asks netstat, because
// lsof shows an ordinary user only the user's own processes.
func Established() ([]Conn, error) {
	out, err := exec.Command("netstat", "-anp", "tcp").Output()
	if err != nil {
		return nil, fmt.Errorf("list the machine's connections: netstat: %w", err)
	}
	return netstatConns(string(out)), nil
}

// Owner returns a process that listens where one that wants to listen at that address cannot, and its
// name. Without an IP that is any address of the port. ok is false when nobody listens, or the process
// is another user's and hidden.
func Owner(at netip.AddrPort) (pid int, name string, ok bool) {
	out, _ := exec.Command("lsof", "-nP", "-iTCP:"+strconv.Itoa(int(at.Port())), "-sTCP:LISTEN", "-Fpcn").Output()
	return lsofOwner(string(out), at)
}

// lsof prints the wanted sockets of pids, one field a line. It exits 1 when it has nothing to list,
// which is no error.
func lsof(pids []int, which ...string) (string, error) {
	if len(pids) == 0 {
		return "", nil
	}
	list := make([]string, len(pids))
	for i, pid := range pids {
		list[i] = strconv.Itoa(pid)
	}
	args := append([]string{"-nP", "-a", "-p", strings.Join(list, ","), "-FnT"}, which...)
	out, err := exec.Command("lsof", args...).Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return "", fmt.Errorf("list the sockets of the app: lsof: %w", err)
	}
	return string(out), nil
}
