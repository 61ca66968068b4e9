package sockets

import (
	"net/netip"
	"strconv"
	"strings"
)

// parseLsof calls yield for each TCP socket of `lsof -F nT`, which prints a field a line: p<pid>,
// f<descriptor>, n<local>[-><remote>], TST=<state>, with name and state of one descriptor in either
// order.
func parseLsof(out string, yield func(local, remote, state string)) {
	var name, state string
	flush := func() {
		if name != "" && state != "" {
			local, remote, _ := strings.Cut(name, "->")
			yield(local, remote, state)
		}
		name, state = "", ""
	}
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.HasPrefix(line, "p"), strings.HasPrefix(line, "f"):
			flush()
		case strings.HasPrefix(line, "n"):
			name = line[1:]
		case strings.HasPrefix(line, "TST="):
			state = line[len("TST="):]
		}
	}
	flush()
}

// lsofConns returns the established connections that lsof printed.
func lsofConns(out string) []Conn {
	var list []Conn
	parseLsof(out, func(local, remote, state string) {
		l, okL := lsofAddr(local)
		r, okR := lsofAddr(remote)
		if state == "ESTABLISHED" && okL && okR {
			list = append(list, Conn{l, r})
		}
	})
	return sortedConns(list)
}

// lsofPorts returns the addresses listened on that lsof printed. "*" is the unspecified address of
// IPv4; lsof does not say of which family it is.
func lsofPorts(out string) []netip.AddrPort {
	var list []netip.AddrPort
	parseLsof(out, func(local, _, state string) {
		if a, ok := lsofAddr(local); ok && state == "LISTEN" {
			list = append(list, a)
		}
	})
	return sortedPorts(list)
}

// lsofOwner returns the first process of `lsof -F pcn` with a socket that is in the way at that address.
func lsofOwner(out string, at netip.AddrPort) (pid int, name string, ok bool) {
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "p"):
			pid, _ = strconv.Atoi(line[1:])
		case strings.HasPrefix(line, "c"):
			name = line[1:]
		case strings.HasPrefix(line, "n"):
			text := line[1:]
			if port, is := strings.CutPrefix(text, "*:"); is {
				text = "[::]:" + port // of either family: lsof does not say of which
			}
			if a, ok := lsofAddr(text); ok && overlap(a, at) {
				return pid, name, pid > 0
			}
		}
	}
	return 0, "", false
}

// lsofAddr reads "127.0.0.1:80", "[::1]:80", "[fe80::1%en0]:80" or "*:80".
func lsofAddr(s string) (netip.AddrPort, bool) {
	if rest, ok := strings.CutPrefix(s, "*:"); ok {
		s = "0.0.0.0:" + rest
	}
	return address(netip.ParseAddrPort(s))
}

// netstatConns returns the established connections of `netstat -anp tcp` as macOS prints it: the
// port follows the address after a dot.
func netstatConns(out string) []Conn {
	var list []Conn
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) < 6 || !strings.HasPrefix(f[0], "tcp") || f[5] != "ESTABLISHED" {
			continue
		}
		l, okL := netstatAddr(f[3])
		r, okR := netstatAddr(f[4])
		if okL && okR {
			list = append(list, Conn{l, r})
		}
	}
	return sortedConns(list)
}

// netstatAddr reads "127.0.0.1.5432" or "::1.5432".
func netstatAddr(s string) (netip.AddrPort, bool) {
	i := strings.LastIndexByte(s, '.')
	if i < 0 {
		return netip.AddrPort{}, false
	}
	host := s[:i]
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return address(netip.ParseAddrPort(host + ":" + s[i+1:]))
}

// address brings a parsed address into the one form that we compare: IPv4 as IPv4, no zone.
func address(a netip.AddrPort, err error) (netip.AddrPort, bool) {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port()), err == nil
}
