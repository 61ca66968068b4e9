//go:build !linux && !darwin

package sockets

import "net/netip"

// Connections returns ErrUnsupported on this system.
func Connections([]int) ([]Conn, error) { return nil, ErrUnsupported }

// Listening finds nothing on this system.
func Listening([]int) []netip.AddrPort { return nil }

// Established returns ErrUnsupported on this system.
func Established() ([]Conn, error) { return nil, ErrUnsupported }

// Owner finds nobody on this system.
func Owner(netip.AddrPort) (pid int, name string, ok bool) { return 0, "", false }
