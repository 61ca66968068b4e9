package listeners

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/devguard/devguard/supervisor/hold"
)

// standIn is what is known of addresses at which a Deputy answers for the app.
type standIn struct {
	deputy Deputy                  // nil: nothing is taken over
	taken  map[netip.AddrPort]bind // by what the app has asked for
	gen    int                     // the newest generation
	settle time.Time               // when what it has not bound is given back; zero before begun
}

// bind is one that was answered with another address than it asked for.
type bind struct {
	gen     int
	inode   uint64
	instead netip.AddrPort
}

// unbound is for how long an address is kept that a generation which is ready has not bound: apps open
// their ports one after the other. As long as a held socket (supervisor/hold).
const unbound = 5 * time.Second

// StandIn has a Deputy asked about each address that the app binds, from now on. Such sockets are not
// held: each generation has its own. What a generation has not bound some time after it was found
// ready, or not ready in time, the Deputy gives back.
func (h *Holder) StandIn(d Deputy) {
	h.ask(func() { h.standIn = standIn{deputy: d, taken: map[netip.AddrPort]bind{}} }, func() {})
}

// begun says that a generation was found ready, or has had its time for that.
func (s *standIn) begun(now time.Time, gen int) {
	if s.deputy != nil && gen == s.gen {
		s.settle = now.Add(unbound)
	}
}

// settled gives back what no process of the newest generation has.
func (h *Holder) settled() {
	h.standIn.settle = time.Time{}
	count := descriptors(h.pids())
	h.standIn.retain(func(b bind) bool { return b.gen == h.standIn.gen && count[b.inode] > 0 })
}

// retain gives back what is not to be kept.
func (s *standIn) retain(is func(bind) bool) {
	if s.deputy == nil {
		return
	}
	maps.DeleteFunc(s.taken, func(_ netip.AddrPort, b bind) bool { return !is(b) })
	s.deputy.Keep(slices.SortedFunc(maps.Keys(s.taken), netip.AddrPort.Compare))
}

// standInFor binds the app's own socket to the address that the deputy gives, and reports whether the
// call is answered. The socket is the same open file here as there: all that the app has set, or
// has made of it, stays. It may be called again for a call that a signal has interrupted.
func (h *Holder) standInFor(c call, own int, r hold.Request) (answered bool, err error) {
	addr := r.Place.Addr
	if h.standIn.deputy == nil || addr.Port() == 0 || r.Options.ReusePort || r.Options.Device != "" || r.Place.Net != netOfOurs() {
		return false, nil
	}
	before, known := h.standIn.taken[addr]
	if bound, err := boundTo(own); known && before.inode == r.Inode && err == nil && bound.Addr == before.instead {
		return true, c.Succeed(c.Notification)
	}
	if known && before.inode != r.Inode {
		if descriptors(h.pids())[before.inode] > 0 {
			return false, nil // the address is taken, as the kernel will say
		}
	}
	instead, err := h.standIn.deputy.Take(addr, r.Options.V6Only)
	if err != nil {
		return false, nil // whoever has it: the kernel says so
	}
	if err := bindShared(own, instead); err != nil {
		delete(h.standIn.taken, addr)
		h.standIn.retain(func(bind) bool { return true })
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

// netOfOurs is the network namespace that a Deputy listens in.
func netOfOurs() uint64 {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	defer unix.Close(fd)
	return netOf(fd)
}
