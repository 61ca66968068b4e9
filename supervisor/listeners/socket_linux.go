package listeners

import (
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/devguard/devguard/supervisor/hold"
)

// inodeOf names a socket.
func inodeOf(fd int) (uint64, error) {
	var st unix.Stat_t
	err := unix.Fstat(fd, &st)
	return st.Ino, err
}

// optionsOf are a socket's own. One that the kernel does not tell of is the same for every
// socket of that kind.
func optionsOf(fd int) hold.Options {
	number := func(level, option int) int {
		v, err := unix.GetsockoptInt(fd, level, option)
		if err != nil {
			return 0
		}
		return v
	}
	o := hold.Options{
		Protocol:      number(unix.SOL_SOCKET, unix.SO_PROTOCOL),
		ReusePort:     number(unix.SOL_SOCKET, unix.SO_REUSEPORT) != 0,
		KeepAlive:     number(unix.SOL_SOCKET, unix.SO_KEEPALIVE) != 0,
		SendBuffer:    number(unix.SOL_SOCKET, unix.SO_SNDBUF),
		ReceiveBuffer: number(unix.SOL_SOCKET, unix.SO_RCVBUF),
		FreeBind:      number(unix.IPPROTO_IP, unix.IP_FREEBIND) != 0,
		Transparent:   number(unix.IPPROTO_IP, unix.IP_TRANSPARENT) != 0,
		V6Only:        number(unix.IPPROTO_IPV6, unix.IPV6_V6ONLY) != 0,
	}
	o.Device, _ = unix.GetsockoptString(fd, unix.SOL_SOCKET, unix.SO_BINDTODEVICE)
	return o
}

// netOf is the network namespace of a socket; 0 before Linux 5.14, which does not tell.
func netOf(fd int) uint64 {
	cookie, _ := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
	return cookie
}

// boundTo is where a socket is bound.
func boundTo(fd int) (hold.Place, error) {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return hold.Place{}, err
	}
	p := hold.Place{Net: netOf(fd)}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		p.Addr = netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		p.Addr = netip.AddrPortFrom(inZone(netip.AddrFrom16(sa.Addr), sa.ZoneId), uint16(sa.Port))
	}
	return p, nil
}

func inZone(a netip.Addr, id uint32) netip.Addr {
	if id == 0 {
		return a
	}
	return a.WithZone(strconv.FormatUint(uint64(id), 10))
}
