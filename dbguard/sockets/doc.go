// Package sockets says which TCP sockets processes hold: the connections of the app that is being
// stopped, the ports that it listens on, and who has a port that it wanted.
//
// It reads what the operating system tells any user and changes nothing. Linux is asked through
// netlink and procfs, macOS through lsof and netstat; elsewhere Connections and Established return
// ErrUnsupported, Listening and Owner find nothing.
//
// Answers are sorted, hold each socket once, and are momentary: a socket may have come or gone by
// the time they are read. IPv4 addresses in IPv6 form are returned as IPv4, which is how a Postgres
// server names its client.
package sockets

import (
	"cmp"
	"errors"
	"net/netip"
	"slices"
)

// ErrUnsupported says that this operating system does not tell us which process holds a socket.
var ErrUnsupported = errors.New("the sockets of a process cannot be read on this system")

// Conn is one established TCP connection, as its holder sees it.
type Conn struct {
	Local, Remote netip.AddrPort
}

// sortedConns returns the distinct connections of list, in a stable order.
func sortedConns(list []Conn) []Conn {
	slices.SortFunc(list, func(a, b Conn) int {
		return cmp.Or(a.Local.Compare(b.Local), a.Remote.Compare(b.Remote))
	})
	return slices.Compact(list)
}

// sortedPorts returns the distinct addresses of list, lowest port first, and among equals IPv4
// before IPv6.
func sortedPorts(list []netip.AddrPort) []netip.AddrPort {
	slices.SortFunc(list, func(a, b netip.AddrPort) int {
		return cmp.Or(cmp.Compare(a.Port(), b.Port()), a.Addr().Compare(b.Addr()))
	})
	return slices.Compact(list)
}
