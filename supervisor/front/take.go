package front

import "net/netip"

// Take begins to answer at an address that the app wants to bind, and returns the one that it is to
// bind instead: on the same port, in the same family, and of nobody else, so that two servers of
// one app stay two. The app's socket needs SO_REUSEPORT for that, and must not be one of IPv6 alone, or
// of one link. After an error the app is to have what it wanted, and finds out by itself.
func (f *Front) Take(addr netip.AddrPort) (instead netip.AddrPort, err error) {
	return f.entrances.take(addr)
}

// Keep ends answering at addresses that were taken and that are not among these: the app does not
// want them any more.
func (f *Front) Keep(addrs []netip.AddrPort) { f.entrances.keep(addrs) }
