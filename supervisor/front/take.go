package front

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
)

// newHome is the first of the addresses of loopback at which the apps of one devguard listen instead
// of where they wanted to: on the same port, which they may have told somebody. 127.77 is a network
// that nobody else is likely to use.
func newHome() netip.Addr {
	return netip.AddrFrom4([4]byte{127, 77, byte(1 + rand.IntN(254)), 1})
}

// errV6Only says that there is no other address for a socket that has IPv6 alone, or one link:
// loopback has one.
var errV6Only = errors.New("a socket of IPv6 alone has no other address of loopback")

// Take begins to answer at an address that the app wants to bind, and returns the one that it is to
// bind instead: on the same port, in the same family, and of nobody else, so that two servers of
// one app stay two. The app's socket needs SO_REUSEPORT for that. v6only is its IPV6_V6ONLY. After
// an error the app is to have what it wanted, and finds out by itself.
func (f *Front) Take(addr netip.AddrPort, v6only bool) (instead netip.AddrPort, err error) {
	if addr.Addr().Is6() && (v6only || addr.Addr().Zone() != "") {
		return netip.AddrPort{}, errV6Only
	}
	return f.entrances.take(addr)
}

// Keep ends answering at addresses that were taken and that are not among these: the app does not
// want them any more.
func (f *Front) Keep(addrs []netip.AddrPort) { f.entrances.keep(addrs) }

// Answers reports whether there is an address that was taken.
func (f *Front) Answers() bool { return f.entrances.any() }

// Behind returns where the app listens that wanted to listen at an address of this machine, host:port;
// of any other it returns the same.
func (f *Front) Behind(addr string) string {
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
		if app, known := f.entrances.behind(at); known {
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

// Seen returns by which address clients know the one that the app listens on; the same when they
// come to that.
func (f *Front) Seen(app netip.AddrPort) netip.AddrPort { return f.entrances.before(app) }
