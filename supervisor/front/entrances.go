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
	homes homes
	taken map[netip.AddrPort]*entrance // of homes
}

func newEntrances(p *passage, s *http.Server) *entrances {
	return &entrances{passage: p, server: s, home: newHome(), homes: homes{}, taken: map[netip.AddrPort]*entrance{}}
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
	if app, known := es.homes[addr]; known {
		return app, nil
	}
	app = es.homes.another(addr, es.home)
	return app, es.open(addr, app, len(es.homes.at(addr.Port())) > 0)
}

// retake is take, where the app listens already.
func (es *entrances) retake(addr, app netip.AddrPort) error {
	es.mu.Lock()
	defer es.mu.Unlock()
	return es.open(addr, app, true)
}

// open needs the lock. ours says that the port is the app's or ours already.
func (es *entrances) open(addr, app netip.AddrPort, ours bool) error {
	l, err := listenBeside(addr, ours)
	if err != nil {
		return err
	}
	es.homes[addr], es.taken[addr] = app, es.add(l)
	return nil
}

func (es *entrances) behind(at netip.AddrPort) (app netip.AddrPort, known bool) {
	es.mu.Lock()
	defer es.mu.Unlock()
	return es.homes.behind(at)
}

// keep ends answering at addresses that were taken, but for some. Connections that were accepted
// stay.
func (es *entrances) keep(addrs []netip.AddrPort) {
	es.mu.Lock()
	defer es.mu.Unlock()
	for addr, e := range es.taken {
		if !slices.Contains(addrs, addr) {
			_ = e.Close()
			delete(es.taken, addr)
			delete(es.homes, addr)
		}
	}
}

// end ends all of it. What is being answered has until ctx ends.
func (es *entrances) end(ctx context.Context) {
	_ = es.server.Shutdown(ctx) // closes the entrances too
	es.server.Close()
	es.served.Wait()
}
