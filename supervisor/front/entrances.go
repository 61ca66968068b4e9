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

	mu    sync.Mutex
	taken map[netip.AddrPort]*entrance
}

func newEntrances(p *passage, s *http.Server) *entrances {
	return &entrances{passage: p, server: s, taken: map[netip.AddrPort]*entrance{}}
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

// take begins to answer at an address, if that is not done already.
func (es *entrances) take(addr netip.AddrPort, listen func() (*net.TCPListener, error)) error {
	es.mu.Lock()
	defer es.mu.Unlock()
	if es.taken[addr] != nil {
		return nil
	}
	l, err := listen()
	if err != nil {
		return err
	}
	es.taken[addr] = es.add(l)
	return nil
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
		}
	}
}

// end ends all of it. What is being answered has until ctx ends.
func (es *entrances) end(ctx context.Context) {
	_ = es.server.Shutdown(ctx) // closes the entrances too
	es.server.Close()
	es.served.Wait()
}
