package front

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"
)

// upstream is one generation of the app, as it is reached.
type upstream struct {
	gen    int
	at     []string                                        // addresses, each tried in turn
	behind func(via netip.AddrPort) (netip.AddrPort, bool) // without these: by the one that a client came in on

	pooled *http.Transport // HTTP/1; connections are used again
	fresh  *http.Transport // HTTP/1; each request has a connection of its own
	h2c    *http.Transport
}

// idle is for how long a connection to the app is kept for the next request. It is less than any
// server keeps one (gunicorn 2 s, node 5 s), so that the app does not close a connection while a
// request is on its way to it.
const idle = time.Second

// maxPooled bounds the connections that are kept.
const maxPooled = 64

func newUpstream(gen int, behind func(netip.AddrPort) (netip.AddrPort, bool), at []string) *upstream {
	u := &upstream{gen: gen, behind: behind, at: at}
	u.pooled = u.transport()
	u.fresh = u.transport()
	u.fresh.DisableKeepAlives = true
	u.fresh.ReadBufferSize = 4 << 10 // made anew for each request
	u.h2c = u.transport()
	u.h2c.Protocols = new(http.Protocols)
	u.h2c.Protocols.SetUnencryptedHTTP2(true)
	return u
}

// transport makes one that adds nothing to a request, and goes to the app whatever the URL says:
// its host is the address that the client came in on, so that connections are used again for
// clients of the same alone.
func (u *upstream) transport() *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, _, host string) (net.Conn, error) {
			via, _ := netip.ParseAddrPort(host)
			return u.dial(ctx, via)
		},
		DisableCompression:    true,
		MaxIdleConns:          maxPooled,
		MaxIdleConnsPerHost:   maxPooled,
		IdleConnTimeout:       idle,
		ExpectContinueTimeout: time.Second,
		WriteBufferSize:       4 << 10,
		ReadBufferSize:        32 << 10,
	}
}

// close ends the connections that nobody uses. The app would wait for them.
func (u *upstream) close() {
	for _, t := range []*http.Transport{u.pooled, u.fresh, u.h2c} {
		t.CloseIdleConnections()
	}
}

// dial connects to the first address of the app that takes a connection. A client of another
// machine, which came in on an address of this machine that others reach, has the connection come
// from there, so that the app does not take it for one of this machine. Where that cannot be had,
// the app is told by X-Forwarded-For alone.
func (u *upstream) dial(ctx context.Context, via netip.AddrPort) (net.Conn, error) {
	var first error
	all := u.at
	if len(all) == 0 {
		app, known := u.behind(via)
		if !known {
			return nil, fmt.Errorf("the app does not listen at %s any more", via)
		}
		all = []string{app.String()}
	}
	for _, at := range all {
		c, err := dialFrom(ctx, via.Addr(), at)
		if err == nil {
			return &counted{TCPConn: c.(*net.TCPConn)}, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

func dialFrom(ctx context.Context, via netip.Addr, at string) (net.Conn, error) {
	if from := source(via, at); from != nil {
		c, err := (&net.Dialer{LocalAddr: from, KeepAlive: noProbes}).DialContext(ctx, "tcp", at)
		if err == nil || isRefused(err) || ctx.Err() != nil {
			return c, err
		}
	}
	return (&net.Dialer{KeepAlive: noProbes}).DialContext(ctx, "tcp", at)
}

// noProbes is for connections within this machine, whose other end cannot vanish unseen.
const noProbes = -1

// source is the address that a connection to the app comes from; nil for any.
func source(via netip.Addr, at string) net.Addr {
	via = via.Unmap()
	to, err := netip.ParseAddrPort(at)
	if err != nil || !via.IsValid() || via.IsLoopback() || via.Is4() != to.Addr().Unmap().Is4() {
		return nil
	}
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(via, 0))
}

// counted is a connection that knows whether anything was written on it.
type counted struct {
	*net.TCPConn
	written atomic.Int64
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.TCPConn.Write(b)
	c.written.Add(int64(n))
	return n, err
}

// ReadFrom lets the kernel carry the bytes of an upload where it can.
func (c *counted) ReadFrom(r io.Reader) (int64, error) {
	n, err := c.TCPConn.ReadFrom(r)
	c.written.Add(n)
	return n, err
}
