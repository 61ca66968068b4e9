//go:build !linux

package front

import (
	"errors"
	"net"
	"net/netip"
)

// listenShared returns what fails: nobody asks us before an app binds.
func listenShared(netip.AddrPort) func() (*net.TCPListener, error) {
	return func() (*net.TCPListener, error) { return nil, errors.ErrUnsupported }
}
