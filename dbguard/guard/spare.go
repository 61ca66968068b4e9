package guard

import (
	"errors"
	"net"
	"os"
	"time"

	"github.com/devguard/devguard/dbguard/login"
)

// spare is one session that is dialled ahead. While it waits its keeper reads: what
// the server says before anyone has asked is kept for the client, and its end is
// noticed.
type spare struct {
	gen    int
	want   want
	ready  chan struct{}     // closed when it is there, or never will be
	server *login.ServerConn // after that: nil for never
	kept   chan struct{}     // closed when the keeper has let go
	heard  []byte            // after that: what it has read
	err    error             // after that: why it ended
}

// watch reads until the server says something or has ended the session, or the time
// of the spare is up, which is also how take ends it.
func (s *spare) watch() {
	one := make([]byte, 1)
	n, err := s.server.Conn.Read(one)
	s.heard, s.err = one[:n], err
}

// expire says when the spare's time is up.
func (s *spare) expire(at time.Time) { _ = s.server.Conn.SetReadDeadline(at) }

// take returns the session of a spare that nobody else has: nil when its server has
// ended it meanwhile.
func (s *spare) take() *login.ServerConn {
	s.expire(time.Unix(1, 0)) // the keeper lets go
	<-s.kept
	if s.err != nil && !errors.Is(s.err, os.ErrDeadlineExceeded) {
		s.server.Close()
		return nil
	}
	s.expire(time.Time{})
	if len(s.heard) > 0 {
		s.server.Conn = &unread{s.server.Conn, s.heard}
	}
	return s.server
}

// unread is a connection of which somebody has read a little too much.
type unread struct {
	net.Conn
	before []byte
}

// Read is Conn.Read, what was read before first.
func (u *unread) Read(p []byte) (int, error) {
	if len(u.before) == 0 {
		return u.Conn.Read(p)
	}
	n := copy(p, u.before)
	u.before = u.before[n:]
	return n, nil
}
