package front

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// entrance accepts connections, finds out what each is, and gives those of HTTP to a server. It is
// the net.Listener of that server.
type entrance struct {
	listener *net.TCPListener
	passage  *passage
	http     chan net.Conn

	ctx   context.Context // ends with the entrance
	close context.CancelFunc
	work  sync.WaitGroup
}

func newEntrance(l *net.TCPListener, p *passage) *entrance {
	e := &entrance{listener: l, passage: p, http: make(chan net.Conn)}
	e.ctx, e.close = context.WithCancel(context.Background())
	e.work.Go(e.run)
	return e
}

// Accept returns the next connection of HTTP.
func (e *entrance) Accept() (net.Conn, error) {
	select {
	case c := <-e.http:
		return c, nil
	case <-e.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Close ends accepting, and every connection that was not given to the server.
func (e *entrance) Close() error {
	e.close()
	return e.listener.Close()
}

// Addr is the address that clients connect to.
func (e *entrance) Addr() net.Addr { return e.listener.Addr() }

// wait returns when no connection is left that was not given to the server.
func (e *entrance) wait() { e.work.Wait() }

// breather is how long to wait when connections cannot be accepted: too many files are open.
const breather = 50 * time.Millisecond

func (e *entrance) run() {
	for {
		c, err := e.listener.AcceptTCP()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			select {
			case <-time.After(breather):
			case <-e.ctx.Done():
			}
		default:
			e.work.Go(func() { e.meet(c) })
		}
	}
}

// meet finds out what a connection is, and has it carried there.
func (e *entrance) meet(c *net.TCPConn) {
	defer context.AfterFunc(e.ctx, func() { c.Close() })()
	first := listen(e.ctx, c)
	s, spoke := first.within(silence)
	if !spoke {
		s = e.meetSilent(c, first)
	}
	switch {
	case s.err != nil:
		c.Close()
	case s.kind == isOpaque:
		e.carry(c, s.bytes)
	default:
		select {
		case e.http <- withFirst(c, s.bytes):
		case <-e.ctx.Done():
			c.Close()
		}
	}
}

// opener is a client that is listened to, until it is known what it speaks.
type opener struct {
	conn  net.Conn
	ctx   context.Context // ends when it has spoken, or is gone
	heard chan struct{}   // closed when said is written
	said  said
}

// said is what a client has said first.
type said struct {
	kind  opening
	bytes []byte
	err   error // it is gone, or was interrupted, before it said anything
}

func listen(ctx context.Context, c net.Conn) *opener {
	ctx, cancel := context.WithCancel(ctx)
	o := &opener{conn: c, ctx: ctx, heard: make(chan struct{})}
	go func() {
		defer cancel()
		defer close(o.heard)
		o.said = readOpening(c)
	}()
	return o
}

// hesitation is how long a client may take for the first line, once it has begun: longer, and the
// app is asked what it makes of it.
const hesitation = 2 * time.Second

func readOpening(c net.Conn) said {
	s := said{bytes: make([]byte, 0, 512)}
	for {
		if len(s.bytes) == cap(s.bytes) {
			s.bytes = append(make([]byte, 0, 2*cap(s.bytes)), s.bytes...)
		}
		n, err := c.Read(s.bytes[len(s.bytes):cap(s.bytes)])
		if n > 0 && len(s.bytes) == 0 {
			_ = c.SetReadDeadline(time.Now().Add(hesitation))
		}
		s.bytes = s.bytes[:len(s.bytes)+n]
		s.kind = classify(s.bytes)
		switch {
		case s.kind != unclear:
			_ = c.SetReadDeadline(time.Time{})
			return s
		case err != nil && len(s.bytes) > 0:
			_ = c.SetReadDeadline(time.Time{})
			s.kind = isOpaque // it has ended its half, or hesitates: the app may know why
			return s
		case err != nil:
			s.err = err
			return s
		}
	}
}

// within returns what the client says within that time.
func (o *opener) within(d time.Duration) (said, bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-o.heard:
		return o.said, true
	case <-timer.C:
		return said{}, false
	}
}

// interrupt ends listening, and returns what was said meanwhile.
func (o *opener) interrupt() said {
	_ = o.conn.SetReadDeadline(time.Unix(1, 0))
	<-o.heard
	_ = o.conn.SetReadDeadline(time.Time{})
	s := o.said
	if errors.Is(s.err, os.ErrDeadlineExceeded) {
		s.err = nil
	}
	return s
}

// opened is a connection of which the first bytes were read.
type opened struct {
	*net.TCPConn
	first bytes.Reader
}

func withFirst(c *net.TCPConn, first []byte) *opened {
	o := &opened{TCPConn: c}
	o.first.Reset(first)
	return o
}

// WriteTo hides that of TCPConn, which knows nothing of the first bytes.
func (o *opened) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, struct{ io.Reader }{o}) }

func (o *opened) Read(p []byte) (int, error) {
	if o.first.Len() > 0 {
		return o.first.Read(p)
	}
	return o.TCPConn.Read(p)
}
