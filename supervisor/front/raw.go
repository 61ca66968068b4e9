package front

import (
	"context"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/devguard/devguard/supervisor/gate"
)

// silence is how long a client may say nothing before the app is asked whether it speaks first.
// Each connection that a browser opens ahead is then one of the app's too, as without us.
const silence = 200 * time.Millisecond

// patience is how long a client that says nothing is kept while there is no app to ask.
const patience = 5 * time.Second

// link is a connection of a client to the app that is carried as it is.
type link struct {
	*net.TCPConn
	ticket *ticket
	gen    int
}

func (l *link) close() {
	l.TCPConn.Close()
	l.ticket.done()
}

// connect makes a connection to the app, once there is one. via is the address that the client came
// in on, silent is one on which nobody has said anything yet. The error is a *failure, or the cause
// of ctx's end.
func (p *passage) connect(ctx context.Context, via netip.AddrPort, silent bool) (*link, error) {
	t, d := p.arrive(gate.Request{})
	var last error
	for {
		up, err := t.await(ctx, d, last)
		if err != nil {
			t.done()
			return nil, err
		}
		c, err := up.dial(ctx, via)
		if err == nil {
			l := &link{c.(*counted).TCPConn, t, up.gen}
			var open *openStream
			if silent {
				open = &openStream{up.gen, atOnce, func() { l.TCPConn.Close() }}
			}
			p.answered(t.id, gate.Stream, open)
			return l, nil
		}
		last, d = err, t.unsent()
	}
}

// viaOf is the address of this machine that a client came in on, by the local address of its connection.
func viaOf(local net.Addr) netip.AddrPort {
	at := local.(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
}

// carry takes an opaque connection to the app. first is what the client has said already.
func (e *entrance) carry(c *net.TCPConn, first []byte) {
	l, err := e.passage.connect(e.ctx, viaOf(c.LocalAddr()), false)
	if err != nil {
		reset(c)
		return
	}
	e.splice(c, l, first, nil)
}

// meetSilent lets the client and the app find out who speaks first, and returns what the client has
// said. When the app has spoken first it returns after the end of the connection, with an error.
func (e *entrance) meetSilent(c *net.TCPConn, first *opener) said {
	for {
		l, err := e.passage.connect(first.ctx, viaOf(c.LocalAddr()), true)
		if err != nil {
			if _, spoke := first.within(patience); !spoke {
				c.Close()
			}
			<-first.heard
			return first.said
		}
		greeting := listenTo(l)
		select {
		case <-first.heard:
			l.close()
			<-greeting
			return first.said
		case hello := <-greeting:
			if e.greeted(c, first, l, hello) {
				<-first.heard
				return said{err: net.ErrClosed}
			}
		}
	}
}

// greeted takes up what the app has said first, and reports whether the connection is over. It is
// not when the app has ended its side because it is stopped.
func (e *entrance) greeted(c *net.TCPConn, first *opener, l *link, hello []byte) bool {
	if len(hello) == 0 {
		l.close()
		over := e.passage.serves(l.gen) // then the app has closed it, as it would have without us
		if over {
			c.Close()
		}
		return over
	}
	e.passage.spoke(l.ticket.id)
	if s := first.interrupt(); s.err != nil {
		l.close()
	} else {
		e.splice(c, l, s.bytes, hello)
	}
	return true
}

// listenTo returns the first bytes that the app sends; none when it ends the connection.
func listenTo(c net.Conn) <-chan []byte {
	greeting := make(chan []byte, 1)
	go func() {
		b := make([]byte, 4<<10)
		n, _ := c.Read(b)
		greeting <- b[:n]
	}()
	return greeting
}

// splice carries bytes both ways until both sides have ended, or one has broken off; toApp and
// toClient come first.
func (e *entrance) splice(c *net.TCPConn, l *link, toApp, toClient []byte) {
	defer context.AfterFunc(e.ctx, func() { l.TCPConn.Close() })()
	defer l.close()
	defer c.Close()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		half(c, l.TCPConn, toClient)
	}()
	half(l.TCPConn, c, toApp)
	<-ended
}

// half carries bytes one way, first those that are given, and passes on the end. A side that is
// reset resets the other.
func half(to, from *net.TCPConn, first []byte) {
	_, err := to.Write(first)
	if err == nil {
		_, err = io.Copy(to, from)
	}
	if err != nil {
		reset(to)
		reset(from)
		return
	}
	_ = to.CloseWrite()
}

// reset ends a connection as if its process had died.
func reset(c *net.TCPConn) {
	_ = c.SetLinger(0)
	c.Close()
}
