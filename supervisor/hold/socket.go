package hold

import (
	"cmp"
	"net/netip"
	"time"
)

// Place is what a socket is bound to.
type Place struct {
	Net  uint64 // its network namespace
	Addr netip.AddrPort
}

func (p Place) String() string { return p.Addr.String() }

func comparePlaces(a, b Place) int {
	return cmp.Or(a.Addr.Compare(b.Addr), cmp.Compare(a.Net, b.Net))
}

// Options are those of a socket when bind is called for it. A socket is handed over
// only to whom had the same ones: it brings the options that it was given by the
// generation that made it.
type Options struct {
	Protocol      int // IPPROTO_TCP, or IPPROTO_MPTCP as Go has it
	V6Only        bool
	ReusePort     bool
	KeepAlive     bool
	FreeBind      bool
	Transparent   bool
	SendBuffer    int
	ReceiveBuffer int
	Device        string
}

// difference names the first option that differs; "" when none does.
func (o Options) difference(p Options) string {
	for _, d := range []struct {
		name   string
		differ bool
	}{
		{"SO_PROTOCOL", o.Protocol != p.Protocol},
		{"IPV6_V6ONLY", o.V6Only != p.V6Only},
		{"SO_REUSEPORT", o.ReusePort != p.ReusePort},
		{"SO_KEEPALIVE", o.KeepAlive != p.KeepAlive},
		{"IP_FREEBIND", o.FreeBind != p.FreeBind},
		{"IP_TRANSPARENT", o.Transparent != p.Transparent},
		{"SO_SNDBUF", o.SendBuffer != p.SendBuffer},
		{"SO_RCVBUF", o.ReceiveBuffer != p.ReceiveBuffer},
		{"SO_BINDTODEVICE", o.Device != p.Device},
	} {
		if d.differ {
			return d.name
		}
	}
	return ""
}

// socket is one that the table knows, by its inode.
type socket struct {
	inode   uint64
	place   Place
	options Options
	state   state
}

// state is one of the types below.
type state interface {
	// kept reports whether devguard has a copy.
	kept() bool
	status() Status
}

type (
	// bound: the generation has bound it by itself, as the nth. There is no copy yet.
	bound struct{ gen, nth int }

	// handed: it was put in the place of a socket of that generation, whose listen is
	// still to come.
	handed struct{ gen int }

	// listening: that generation listens on it.
	listening struct{ gen int }

	// renewed: new connections come to it, while the generation that is stopping still has the socket
	// `from` at the same place.
	renewed struct {
		from  uint64
		since time.Time
	}

	// held: the generation that listened on it is gone.
	held struct{ since time.Time }
)

func (bound) kept() bool     { return false }
func (handed) kept() bool    { return true }
func (listening) kept() bool { return true }
func (renewed) kept() bool   { return true }
func (held) kept() bool      { return true }

// inodes are those of the sockets that stand for it: has a process one of them, the place is taken.
func (s *socket) inodes() []uint64 {
	if r, is := s.state.(renewed); is {
		return []uint64{s.inode, r.from}
	}
	return []uint64{s.inode}
}

// overlap reports whether the kernel would refuse the one bind beside the other.
func overlap(a Place, ao Options, b Place, bo Options) bool {
	if a.Net != b.Net || a.Addr.Port() != b.Addr.Port() {
		return false
	}
	if ao.Device != bo.Device && ao.Device != "" && bo.Device != "" {
		return false
	}
	x, y := a.Addr.Addr().Unmap().WithZone(""), b.Addr.Addr().Unmap().WithZone("")
	return x == y || x.IsUnspecified() && covers(x, ao, y) || y.IsUnspecified() && covers(y, bo, x)
}

// covers reports whether the wildcard address is also that one.
func covers(wildcard netip.Addr, o Options, addr netip.Addr) bool {
	if wildcard.Is4() == addr.Is4() {
		return true
	}
	// One of IPv6 takes IPv4 too, unless it is told not to.
	return wildcard.Is6() && !o.V6Only
}
