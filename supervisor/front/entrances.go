package front

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
)

// entrances are the addresses that clients connect to, and the server behind them.
type entrances struct {
	passage *passage
	server  *http.Server
	served  sync.WaitGroup
	home    netip.Addr // see newHome

	mu    sync.Mutex
	taken map[netip.AddrPort]takenOver
}

// takenOver is an address that the app wanted, and where it listens instead.
type takenOver struct {
	*entrance
	app netip.AddrPort
}

func newEntrances(p *passage, s *http.Server) *entrances {
	return &entrances{passage: p, server: s, home: newHome(), taken: map[netip.AddrPort]takenOver{}}
}

// add begins to answer on a listener, which is closed with the others.
func (es *entrances) add(l *net.TCPListener) *entrance {
	e := newEntrance(l, es.passage)
	es.served.Go(func() {
		_ = es.server.Serve(e)
		e.wait()
	})
	return e
}

// take begins to answer at an address, if that is not done already, and returns where the app is to
// listen.
func (es *entrances) take(addr netip.AddrPort) (app netip.AddrPort, err error) {
	es.mu.Lock()
	defer es.mu.Unlock()
	if t, known := es.taken[addr]; known {
		return t.app, nil
	}
	homes, beside := es.homesOf(addr.Port())
	l, err := listenBeside(addr, beside)
	if err != nil {
		return netip.AddrPort{}, err
	}
	home := es.home
	for slices.Contains(homes, home) {
		home = home.Next()
	}
	if addr.Addr().Is6() {
		home = netip.AddrFrom16(home.As16()) // ::ffff:127.77.x.y
	}
	app = netip.AddrPortFrom(home, addr.Port())
	es.taken[addr] = takenOver{es.add(l), app}
	return app, nil
}

// homesOf returns the addresses on a port that the app was given, and whether there are any.
func (es *entrances) homesOf(port uint16) (homes []netip.Addr, any bool) {
	for addr, t := range es.taken {
		if addr.Port() == port {
			homes = append(homes, t.app.Addr().Unmap())
		}
	}
	return homes, len(homes) > 0
}

// behind returns where the app listens to which clients come by that address of this machine. Like
// the kernel it prefers one that was bound as it is.
func (es *entrances) behind(at netip.AddrPort) (app netip.AddrPort, known bool) {
	ip := at.Addr().Unmap().WithZone("")
	bound := []netip.Addr{ip, netip.IPv6Unspecified()}
	if ip.Is4() {
		bound = []netip.Addr{ip, netip.AddrFrom16(ip.As16()), netip.IPv4Unspecified(), netip.IPv6Unspecified()}
	}
	es.mu.Lock()
	defer es.mu.Unlock()
	for _, b := range bound {
		if t, known := es.taken[netip.AddrPortFrom(b, at.Port())]; known {
			return netip.AddrPortFrom(t.app.Addr().Unmap(), at.Port()), true
		}
	}
	return netip.AddrPort{}, false
}

// before is the other way round; of an address that is not one of an app it returns the same.
func (es *entrances) before(app netip.AddrPort) netip.AddrPort {
	es.mu.Lock()
	defer es.mu.Unlock()
	for addr, t := range es.taken {
		if t.app.Port() == app.Port() && t.app.Addr().Unmap() == app.Addr().Unmap() {
			return addr
		}
	}
	return app
}

// any reports whether an address is taken.
func (es *entrances) any() bool {
	es.mu.Lock()
	defer es.mu.Unlock()
	return len(es.taken) > 0
}

// keep ends answering at addresses that were taken, but for some. Connections that were accepted
// stay.
func (es *entrances) keep(addrs []netip.AddrPort) {
	es.mu.Lock()
	defer es.mu.Unlock()
	for addr, t := range es.taken {
		if !slices.Contains(addrs, addr) {
			_ = t.Close()
			delete(es.taken, addr)
		}
	}
}

// end ends all of it. What is being answered has until ctx ends.
func (es *entrances) end(ctx context.Context) {
	_ = es.server.Shutdown(ctx) // closes the entrances too
	es.server.Close()
	es.served.Wait()
}
