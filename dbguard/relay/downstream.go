package relay

import (
	"encoding/binary"
	"net"
	"sync"
)

// downstream is the client's side: what is written to it, and the end of that.
type downstream struct {
	mu    sync.Mutex // held over a Write: one writer at a time
	conn  net.Conn
	at    frames
	last  []byte // when leaving: to be written at the next boundary
	state farewell
}

type farewell uint8

const (
	staying farewell = iota
	leaving          // at the next boundary the last message is sent
	gone             // nothing is written any more
)

// write sends p to the client. A client that cannot be written to is closed, which ends its pump.
func (d *downstream) write(p []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state == gone || len(p) == 0 {
		return
	}
	if d.state == leaving {
		p = p[:d.at.toBoundary(p)]
	}
	d.at.pass(p)
	if n, err := d.conn.Write(p); n < len(p) || err != nil {
		d.shut()
		return
	}
	d.leave()
}

// dismiss sends the client a last message, if there is one, and closes it: now when it is between
// two messages, else when the rest of the message came.
func (d *downstream) dismiss(last []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state != staying {
		return
	}
	d.last, d.state = last, leaving
	d.leave()
}

// leave closes a client that is at a boundary and is to leave, or one that is told nothing. The
// caller holds mu.
func (d *downstream) leave() {
	if d.state != leaving || len(d.last) > 0 && d.at.middle() {
		return
	}
	if len(d.last) > 0 {
		_, _ = d.conn.Write(d.last) // it is closed all the same
	}
	d.shut()
}

// shut closes the client. The caller holds mu.
func (d *downstream) shut() {
	d.state = gone
	_ = d.conn.Close()
}

// end closes the client once a Write under way is over.
func (d *downstream) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shut()
}

// close closes the client without waiting for a Write under way, which fails.
func (d *downstream) close() { _ = d.conn.Close() }

// frames follows the boundaries of messages in a stream: a type byte, a length that counts itself,
// the body.
type frames struct {
	header [5]byte
	have   int   // bytes of the header seen; 0 at a boundary when left is 0
	left   int64 // bytes of the body to come
}

// middle reports whether a message has begun and is not complete.
func (f *frames) middle() bool { return f.have > 0 || f.left > 0 }

// pass follows p.
func (f *frames) pass(p []byte) {
	for len(p) > 0 {
		p = p[f.step(p):]
	}
}

// toBoundary returns how much of p belongs to the message begun before it.
func (f *frames) toBoundary(p []byte) int {
	at, n := *f, 0
	for at.middle() && n < len(p) {
		n += at.step(p[n:])
	}
	return n
}

// step follows p to the end of a header or a body, and returns how far that is.
func (f *frames) step(p []byte) int {
	if f.left > 0 {
		n := int(min(f.left, int64(len(p))))
		f.left -= int64(n)
		return n
	}
	n := copy(f.header[f.have:], p)
	f.have += n
	if f.have == len(f.header) {
		f.have = 0
		// A length below 4 is no message; the session ends such a stream.
		f.left = max(int64(binary.BigEndian.Uint32(f.header[1:]))-4, 0)
	}
	return n
}
