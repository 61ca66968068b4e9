//go:build !linux

package front

import (
	"errors"
	"net"
	"net/netip"
)

// listenBeside fails: nobody asks us before an app binds.
func listenBeside(netip.AddrPort, bool) (*net.TCPListener, error) {
	return nil, errors.ErrUnsupported
}
