package listeners

import "net/netip"

// Deputy answers for the app at addresses that it binds. Its methods are called from one goroutine.
type Deputy interface {
	// Take begins to answer at an address, and returns the one that the app is to have instead, in the
	// same family. v6only is IPV6_V6ONLY of the app's socket. An error leaves the bind to the kernel.
	Take(addr netip.AddrPort, v6only bool) (instead netip.AddrPort, err error)

	// Keep ends answering at all addresses but these.
	Keep(addrs []netip.AddrPort)
}
