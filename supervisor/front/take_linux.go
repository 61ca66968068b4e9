package front

import (
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// listenBeside listens at an address so that the app can bind the same port elsewhere. SO_REUSEPORT
// would also let two devguards share one address: it is set once the address is had for ourselves,
// unless we have the port already.
func listenBeside(addr netip.AddrPort, ours bool) (*net.TCPListener, error) {
	var to unix.Sockaddr = &unix.SockaddrInet6{Port: int(addr.Port()), Addr: addr.Addr().As16()}
	family := unix.AF_INET6
	if addr.Addr().Is4() {
		to, family = &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}, unix.AF_INET
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	file := os.NewFile(uintptr(fd), "listening socket")
	defer file.Close()
	if family == unix.AF_INET6 {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0) // as the app's
	}
	share := func() error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) }
	steps := []func() error{
		func() error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) },
		func() error { return unix.Bind(fd, to) },
		share,
		func() error { return unix.Listen(fd, backlog) },
	}
	if ours {
		steps[1], steps[2] = steps[2], steps[1]
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, err
		}
	}
	l, err := net.FileListener(file)
	if err != nil {
		return nil, err
	}
	return l.(*net.TCPListener), nil
}

// backlog is how many connections the kernel completes before they are accepted. It has a bound of
// its own, net.core.somaxconn.
const backlog = 4096
