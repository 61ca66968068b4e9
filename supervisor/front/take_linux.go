package front

import (
	"context"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// listenShared returns what listens at an address beside the app's, which is on the same port.
func listenShared(addr netip.AddrPort) func() (*net.TCPListener, error) {
	return func() (*net.TCPListener, error) {
		config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
			var failed error
			err := c.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
			if err != nil {
				return err
			}
			return failed
		}}
		network := "tcp"
		if addr.Addr().Is4() {
			network = "tcp4" // of 0.0.0.0 "tcp" makes all addresses, those of IPv6 too
		}
		l, err := config.Listen(context.Background(), network, addr.String())
		if err != nil {
			return nil, err
		}
		return l.(*net.TCPListener), nil
	}
}
