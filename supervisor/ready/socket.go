package ready

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/devguard/devguard/supervisor/logline"
)

// socketCheck is the default rule: a listening socket, or being alive.
type socketCheck struct {
	target Target
	alive  bool
}

func (c *socketCheck) rule() string {
	if c.alive {
		return "alive"
	}
	return "listening"
}

func (c *socketCheck) look(context.Context) look {
	late := time.Since(c.target.runsSince()) >= c.target.Alive // asked first: the last look is after the deadline
	if addrs := c.target.Listening(); len(addrs) > 0 {
		return look{ok: true, awaited: "a listening socket: " + unmap(addrs[0]).String()}
	}
	c.alive = late
	return look{ok: late, awaited: fmt.Sprintf("a listening socket, or %v alive", c.target.Alive), last: "no listening socket"}
}

// tcpCheck connects to an address.
type tcpCheck struct {
	addr   string
	target Target
}

func newTCPCheck(addr string, target Target) (*tcpCheck, error) {
	if addr != "" && strings.Trim(addr, "0123456789") == "" {
		addr = ":" + addr
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil || port == "" {
		return nil, logline.WithHint(fmt.Errorf("ready.tcp = %q is not an address", addr), "write host:port, or a port")
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return nil, fmt.Errorf("ready.tcp = %q: there is no TCP port %q", addr, port)
	}
	return &tcpCheck{addr, target}, nil
}

func (c *tcpCheck) rule() string { return "tcp" }

func (c *tcpCheck) look(ctx context.Context) look {
	l := look{awaited: "a TCP connect to " + c.addr}
	if host, port, _ := net.SplitHostPort(c.addr); c.target.untaken(host, port) {
		l.last = notListening
		return l
	}
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	conn, err := c.target.Dial(ctx, "tcp", c.addr)
	if err != nil {
		l.last = reason(err)
		return l
	}
	conn.Close()
	l.ok = true
	return l
}

// notListening is seen where a connect would succeed, and prove nothing.
const notListening = "the app does not listen there yet"

// untaken reports whether a connect to that host would reach a socket that is only held for
// the instance. A name other than localhost is not looked up: it may be another machine.
func (t Target) untaken(host, port string) bool {
	number, err := net.LookupPort("tcp", port)
	if t.Untaken == nil || err != nil {
		return false
	}
	addr, err := netip.ParseAddr(host)
	if err != nil && host != "" && !strings.EqualFold(host, "localhost") {
		return false
	}
	if addr.IsUnspecified() {
		addr = netip.Addr{}
	}
	return t.Untaken(netip.AddrPortFrom(addr, uint16(number)))
}

// firstSockets picks, of the sockets listening now, the first: those that were
// there when the tree was first seen listening, in their order. One opened
// later (metrics, a debugger) is not asked unless the first are gone.
func firstSockets(first, now []netip.AddrPort) []netip.AddrPort {
	still := slices.DeleteFunc(slices.Clone(first), func(a netip.AddrPort) bool { return !slices.Contains(now, a) })
	if len(still) > 0 {
		return still
	}
	return now
}

// unmap turns ::ffff:127.0.0.1, as /proc/net/tcp6 has it, into 127.0.0.1.
func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// reason is the cause of a failed attempt, without the addresses that the
// message names anyway.
func reason(err error) string {
	var errno syscall.Errno
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &errno):
		return errno.Error()
	case errors.As(err, &dns):
		return dns.Error()
	case errors.As(err, &timeout) && timeout.Timeout():
		return "no answer"
	}
	return err.Error()
}
