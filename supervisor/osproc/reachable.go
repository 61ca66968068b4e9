package osproc

import "net/netip"

// Reachable returns the addresses under which a listening socket is reached from this machine, best
// first. A socket on :: may accept IPv6 only (IPV6_V6ONLY), or IPv4 only in effect, where lo has no ::1
// (containers).
func Reachable(listens netip.AddrPort) []netip.AddrPort {
	ip, port := listens.Addr().Unmap(), listens.Port()
	v4 := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)
	switch {
	case !ip.IsUnspecified():
		return []netip.AddrPort{netip.AddrPortFrom(ip, port)}
	case ip.Is4():
		return []netip.AddrPort{v4}
	}
	return []netip.AddrPort{netip.AddrPortFrom(netip.IPv6Loopback(), port), v4}
}
