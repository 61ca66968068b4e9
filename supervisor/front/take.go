package front

import (
	"errors"
	"net/netip"
)

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
