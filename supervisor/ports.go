package supervisor

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"

	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/osproc"
)

// portTaken names who listens where an app that has failed may have wanted to: in most frameworks
// that is an error in the app's own words, which do not say who. Nil when nobody does.
func (s *Supervisor) portTaken(wanted []netip.AddrPort, debugger int) any {
	for _, at := range wanted {
		port := int(at.Port())
		if s.holder.Holds(port) || s.address.answersFor(at) {
			continue // it was handed to the app, or would have been
		}
		if pid, name, ok := s.PortOwner(at); ok && !isOurs(pid) {
			otherwise := "have the app listen elsewhere"
			if port == debugger {
				otherwise = "have Delve listen elsewhere (--listen)"
			}
			return change.Note{
				Warn: true,
				Msg:  fmt.Sprintf("port %d is in use by process %d (%s)", port, pid, name),
				Hint: fmt.Sprintf("end it (kill %d), or %s", pid, otherwise),
			}
		}
	}
	return nil
}

// isOurs reports whether a process is devguard or was started by it: the front, or who keeps the held
// sockets.
func isOurs(pid int) bool {
	p, ok := osproc.Look(pid)
	return pid == os.Getpid() || ok && p.PPID == os.Getpid()
}

// wanted is where a generation may want to listen: what it was told of, and where the newest one that
// became ready has listened. It is told ports, without the address that it binds, which may be any; one of
// 172.17.0.1 is in nobody's way who binds 127.0.0.1.
func (s *Supervisor) wanted(g *generation) []netip.AddrPort {
	var all []netip.AddrPort
	for _, port := range g.ports() {
		if !slices.ContainsFunc(s.ports, func(at netip.AddrPort) bool { return at.Port() == port }) {
			all = append(all, netip.AddrPortFrom(netip.Addr{}, port))
		}
	}
	return append(all, s.ports...)
}

// ports are those that a generation was told of: PORT, [ready] and the debugger's.
func (g *generation) ports() []uint16 {
	var ports []uint16
	for _, text := range []string{g.port, g.cfg.Ready.TCP, g.cfg.Ready.HTTP} {
		if u, err := url.Parse(text); err == nil && u.Port() != "" {
			text = u.Port()
		} else if _, p, err := net.SplitHostPort(text); err == nil {
			text = p
		}
		if n, err := strconv.ParseUint(text, 10, 16); err == nil {
			ports = append(ports, uint16(n))
		}
	}
	if port := g.debugPort(); port != 0 {
		ports = append(ports, uint16(port))
	}
	return ports
}
