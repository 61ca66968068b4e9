package listeners

import (
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/devguard/devguard/supervisor/hold"
)

// standIn is what is known of addresses that somebody else answers at for the app.
type standIn struct {
	take  func(addr netip.AddrPort, v6only bool) (instead netip.AddrPort, err error) // nil: nothing is taken over
	taken map[netip.AddrPort]bind                                                    // by what the app has asked for
}

// bind is one that was answered with another address than it asked for.
type bind struct {
	gen     int
	inode   uint64
	instead netip.AddrPort
}

// StandIn has take asked about each address that the app binds, from now on: it answers there for
// the app, which is given another address, in the same family. An error of take leaves the bind to
// the kernel. Such sockets are not held: each generation has its own.
func (h *Holder) StandIn(take func(addr netip.AddrPort, v6only bool) (instead netip.AddrPort, err error)) {
	h.ask(func() { h.standIn = standIn{take, map[netip.AddrPort]bind{}} }, func() {})
}

// Taken returns the addresses that a generation has bound and was given others for.
func (h *Holder) Taken(gen int) (addrs []netip.AddrPort) {
	h.ask(func() {
		for addr, b := range h.standIn.taken {
			if b.gen == gen {
				addrs = append(addrs, addr)
			}
		}
	}, func() {})
	slices.SortFunc(addrs, netip.AddrPort.Compare)
	return addrs
}

// standInFor binds the app's own socket to the address that take gives, and reports whether the
// call is answered. The socket is the same open file here as there: all that the app has set, or
// has made of it, stays. It may be called again for a call that a signal has interrupted.
func (h *Holder) standInFor(c call, own int, r hold.Request) (answered bool, err error) {
	addr := r.Place.Addr
	if h.standIn.take == nil || addr.Port() == 0 || r.Options.ReusePort || r.Options.Device != "" || r.Place.Net != netOfOurs() {
		return false, nil
	}
	before, known := h.standIn.taken[addr]
	if bound, err := boundTo(own); known && before.inode == r.Inode && err == nil && bound.Addr == before.instead {
		return true, c.Succeed(c.Notification)
	}
	if known && before.inode != r.Inode {
		if count, _ := survey(h.pids()); count[before.inode] > 0 {
			return false, nil // the address is taken, as the kernel will say
		}
	}
	instead, err := h.standIn.take(addr, r.Options.V6Only)
	if err != nil {
		return false, nil // whoever has it: the kernel says so
	}
	if err := bindShared(own, instead); err != nil {
		return false, err
	}
	h.standIn.taken[addr] = bind{c.gen, r.Inode, instead}
	return true, c.Succeed(c.Notification)
}

// isTaken reports whether a socket was given another address than it wanted.
func (h *Holder) isTaken(inode uint64) bool {
	for _, b := range h.standIn.taken {
		if b.inode == inode {
			return true
		}
	}
	return false
}

// bindShared binds a socket beside another on the same port. When it fails the socket is as it was.
func bindShared(fd int, to netip.AddrPort) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
		return err
	}
	var sa unix.Sockaddr = &unix.SockaddrInet4{Port: int(to.Port())}
	if to.Addr().Is4() {
		sa.(*unix.SockaddrInet4).Addr = to.Addr().As4()
	} else {
		sa = &unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()}
	}
	err := unix.Bind(fd, sa)
	if err != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 0)
	}
	return err
}

// netOfOurs is the network namespace that take listens in.
func netOfOurs() uint64 {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	defer unix.Close(fd)
	return netOf(fd)
}
