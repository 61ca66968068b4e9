package front

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
)

// homes are where the app listens, by the addresses that it wanted, and at which we answer.
type homes map[netip.AddrPort]netip.AddrPort

// newHome is the first of the addresses of loopback at which the apps of one devguard listen instead
// of where they wanted to: on the same port, which they may have told somebody. 127.77 is a network
// that nobody else is likely to use.
func newHome() netip.Addr {
	return netip.AddrFrom4([4]byte{127, 77, byte(1 + rand.IntN(254)), 1})
}

// at returns the addresses that the app has on a port.
func (h homes) at(port uint16) (all []netip.Addr) {
	for addr, app := range h {
		if addr.Port() == port {
			all = append(all, app.Addr().Unmap())
		}
	}
	return all
}

// another returns one that the app has not on that port yet, home or behind it, in the family of addr.
func (h homes) another(addr netip.AddrPort, home netip.Addr) netip.AddrPort {
	for all := h.at(addr.Port()); slices.Contains(all, home); {
		home = home.Next()
	}
	if addr.Addr().Is6() {
		home = netip.AddrFrom16(home.As16()) // ::ffff:127.77.x.y
	}
	return netip.AddrPortFrom(home, addr.Port())
}

// behind returns where the app listens to which clients come by that address of this machine. Like
// the kernel it prefers one that was bound as it is.
func (h homes) behind(at netip.AddrPort) (app netip.AddrPort, known bool) {
	ip := at.Addr().Unmap().WithZone("")
	bound := []netip.Addr{ip, netip.IPv6Unspecified()}
	if ip.Is4() {
		bound = []netip.Addr{ip, netip.AddrFrom16(ip.As16()), netip.IPv4Unspecified(), netip.IPv6Unspecified()}
	}
	for _, b := range bound {
		if app, known := h[netip.AddrPortFrom(b, at.Port())]; known {
			return netip.AddrPortFrom(app.Addr().Unmap(), at.Port()), true
		}
	}
	return netip.AddrPort{}, false
}

// behindHost is behind, of host:port; of what is not behind us it returns the same.
func (h homes) behindHost(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	hosts := []string{host}
	if host == "" || host == "localhost" {
		hosts = []string{"127.0.0.1", "::1"}
	}
	for _, host := range hosts {
		at, err := netip.ParseAddrPort(net.JoinHostPort(host, port))
		if err != nil || !isOurs(at.Addr()) {
			continue
		}
		if app, known := h.behind(at); known {
			return app.String()
		}
	}
	return addr
}

// isOurs reports whether an address is one of this machine.
func isOurs(ip netip.Addr) bool {
	ip = ip.Unmap()
	if ip.IsLoopback() || ip.IsUnspecified() {
		return true
	}
	all, _ := net.InterfaceAddrs() // without them it may be another's, too
	return slices.ContainsFunc(all, func(a net.Addr) bool {
		p, err := netip.ParsePrefix(a.String())
		return err == nil && p.Addr() == ip
	})
}

// before returns by which address clients know the one that the app listens on; the same when they
// come to that.
func (h homes) before(app netip.AddrPort) netip.AddrPort {
	for addr, at := range h {
		if at.Port() == app.Port() && at.Addr().Unmap() == app.Addr().Unmap() {
			return addr
		}
	}
	return app
}
