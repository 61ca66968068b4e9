package front

import (
	"errors"
	"math/rand/v2"
	"net/netip"
)

// newHome is an address of loopback at which the apps of one devguard listen instead of where they
// wanted to: on the same port, which they may have told somebody. 127.77 is one that nobody else is
// likely to use.
func newHome() netip.Addr {
	return netip.AddrFrom4([4]byte{127, 77, byte(1 + rand.IntN(254)), byte(1 + rand.IntN(254))})
}

// errV6Only says that there is no other address for a socket that has IPv6 alone: loopback has one.
var errV6Only = errors.New("a socket of IPv6 alone has no other address of loopback")

// Home is the address of loopback at which the app listens that wanted to listen where the front
// does.
func (f *Front) Home() netip.Addr { return f.home }

// Take begins to answer at an address that the app wants to bind, and returns the one that it is to
// bind instead, in the same family. The app's socket needs SO_REUSEPORT for that. v6only is its
// IPV6_V6ONLY. After an error the app is to have what it wanted, and finds out by itself.
func (f *Front) Take(addr netip.AddrPort, v6only bool) (instead netip.AddrPort, err error) {
	home := f.home
	if addr.Addr().Is6() {
		if v6only {
			return netip.AddrPort{}, errV6Only
		}
		home = netip.AddrFrom16(home.As16()) // ::ffff:127.77.x.y
	}
	if err := f.entrances.take(addr, listenShared(addr)); err != nil {
		return netip.AddrPort{}, err
	}
	return netip.AddrPortFrom(home, addr.Port()), nil
}

// Keep ends answering at addresses that were taken and that are not among these: the app does not
// want them any more.
func (f *Front) Keep(addrs []netip.AddrPort) { f.entrances.keep(addrs) }
