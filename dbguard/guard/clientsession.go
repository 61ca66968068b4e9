package guard

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/devguard/devguard/dbguard/login"
	"github.com/devguard/devguard/dbguard/relay"
	"github.com/devguard/devguard/dbguard/sockets"
)

// clientSession is one client that has logged in, and its session upstream.
type clientSession struct {
	gen    int // 0: a client of a fixed address that is not the app's
	since  time.Time
	cancel context.CancelFunc // ends the dial, or the relay without grace
	done   chan struct{}      // closed when both ends are gone

	mu     sync.Mutex
	server *login.ServerConn // nil while it is being opened
	relay  *relay.Relay      // likewise
	ending bool              // it was told to end
}

// begin says that the session upstream is there; false when the client was told to
// end before.
func (c *clientSession) begin(server *login.ServerConn, r *relay.Relay) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.server, c.relay = server, r
	return !c.ending
}

// end tells the session to end. The client of one that is being replaced is gone
// already; fatal is for one that is not.
func (c *clientSession) end(fatal *pgproto3.ErrorResponse) {
	c.mu.Lock()
	r := c.relay
	c.ending = true
	c.mu.Unlock()
	if r == nil {
		c.cancel()
		return
	}
	r.End(fatal)
}

// isEnding reports whether the session was told to end.
func (c *clientSession) isEnding() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ending
}

// running returns what passes the session's messages; nil while it is being opened.
func (c *clientSession) running() (*login.ServerConn, *relay.Relay) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.server, c.relay
}

// socket returns our socket of the session upstream and the server's pid, or false
// when there is none.
func (c *clientSession) socket() (pid uint32, conn sockets.Conn, ok bool) {
	server, _ := c.running()
	if server == nil {
		return 0, sockets.Conn{}, false
	}
	return server.PID, sockets.Conn{Local: addrPort(server.Conn.LocalAddr()), Remote: addrPort(server.Conn.RemoteAddr())}, true
}

// errMigrating ends a session whose transaction a migration would wait for.
var errMigrating = login.Fatal("57P01", "terminating connection due to administrator command",
	"devguard ended this transaction because a hook that migrates the database is about to run.")

// hold keeps the session from the server from its next transaction on, and returns
// when it is inside none. One that still is after the timeout is ended, for which it
// has the time of finish.
func (c *clientSession) hold(ctx context.Context, timeout, finish time.Duration) {
	_, r := c.running()
	if r == nil {
		return // it is being opened, and has asked for nothing yet
	}
	r.Hold()
	polite, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if r.AwaitIdle(polite) == nil {
		return
	}
	c.end(errMigrating)
	ending, cancel := context.WithTimeout(ctx, finish)
	defer cancel()
	if !c.overBy(ending) && ctx.Err() == nil {
		c.cancel()
	}
}

// overBy waits for the end of the session, and returns false when ctx ends first.
func (c *clientSession) overBy(ctx context.Context) bool {
	select {
	case <-c.done:
		return true
	case <-ctx.Done():
	}
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}
