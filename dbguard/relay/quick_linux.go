package relay

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"
)

// quickConn is a socket that is read and written without telling Go's scheduler that a system call
// begins: it is non-blocking, so there is nothing to tell, and waiting is the poller's as ever.
// Each such notice keeps the runtime's monitor thread awake, every 20 µs, beside a client and a
// server who wait for a processor: of what a relay adds to a one-row select that was a third (33 µs
// against 22 on two cores; PgBouncer 1.18 in session mode adds as much).
//
// One goroutine at a time may read it, and one write.
type quickConn struct {
	socket
	raw     syscall.RawConn
	in, out transfer
}

// socket is what a *net.TCPConn and a *net.UnixConn have in common that a relay uses.
type socket interface {
	net.Conn
	syscall.Conn
	CloseWrite() error
}

// transfer is a Read or a Write under way. step is called when it may go on.
type transfer struct {
	step  func(fd uintptr) (done bool)
	p     []byte
	n     int
	errno syscall.Errno
}

// quick returns c with quicker system calls where it is a socket, else c.
func quick(c net.Conn) net.Conn {
	s, ok := c.(socket)
	switch c.(type) {
	case *net.TCPConn, *net.UnixConn:
	default:
		ok = false // it may be more than its socket: TLS, bytes read before
	}
	if !ok {
		return c
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return c
	}
	q := &quickConn{socket: s, raw: raw}
	q.in.step, q.out.step = q.in.read, q.out.write
	return q
}

// Read is that of net.Conn.
func (q *quickConn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return q.socket.Read(p)
	}
	n, err := q.in.run(p, q.raw.Read)
	switch {
	case err != nil:
		return n, q.failure("read", err)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// Write is that of net.Conn.
func (q *quickConn) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return q.socket.Write(p)
	}
	n, err := q.out.run(p, q.raw.Write)
	if err != nil {
		return n, q.failure("write", err)
	}
	return n, nil
}

// failure words an error as package net does.
func (q *quickConn) failure(op string, err error) error {
	var raw *net.OpError
	var number syscall.Errno
	if errors.As(err, &raw) {
		err = raw.Err
	} else if errors.As(err, &number) {
		err = os.NewSyscallError(op, number)
	}
	return &net.OpError{Op: op, Net: q.RemoteAddr().Network(), Source: q.LocalAddr(), Addr: q.RemoteAddr(), Err: err}
}

// run transfers p; wait calls step, and calls it again once the socket is ready.
func (t *transfer) run(p []byte, wait func(func(uintptr) bool) error) (int, error) {
	t.p, t.n, t.errno = p, 0, 0
	err := wait(t.step)
	t.p = nil
	if err == nil && t.errno != 0 {
		err = t.errno
	}
	return t.n, err
}

func (t *transfer) read(fd uintptr) bool { return t.call(syscall.SYS_READ, fd) || t.errno != 0 }

func (t *transfer) write(fd uintptr) bool {
	for t.n < len(t.p) {
		if !t.call(syscall.SYS_WRITE, fd) {
			return t.errno != 0
		}
	}
	return true
}

// call transfers some of the rest of p, once. It is false when nothing can be transferred now, and
// with an error.
func (t *transfer) call(trap, fd uintptr) bool {
	for {
		rest := t.p[t.n:]
		n, _, errno := syscall.RawSyscall(trap, fd, uintptr(unsafe.Pointer(&rest[0])), uintptr(len(rest)))
		switch errno {
		case 0:
			t.n += int(n)
			return true
		case syscall.EINTR:
		case syscall.EAGAIN:
			return false
		default:
			t.errno = errno
			return false
		}
	}
}
