package sockets

import "net/netip"

// overlap reports whether a socket that listens at one address is in the way of one at the other. An
// address without IP is any of this machine. That a wildcard of IPv6 may be without IPv4 is not known
// here.
func overlap(a, b netip.AddrPort) bool {
	x, y := a.Addr().Unmap().WithZone(""), b.Addr().Unmap().WithZone("")
	switch {
	case a.Port() != b.Port():
		return false
	case !x.IsValid() || !y.IsValid() || x == y:
		return true
	}
	return covers(x, y) || covers(y, x)
}

// covers reports whether the one is a wildcard that the other address belongs to.
func covers(wildcard, addr netip.Addr) bool {
	return wildcard.IsUnspecified() && (wildcard.Is6() || addr.Is4())
}
