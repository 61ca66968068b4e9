package guard

import (
	"context"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devguard/devguard/dbguard/activity"
)

const (
	// connectLimit bounds one connect of ours. A hosted server is 200 ms away
	// and wants five round trips; one that drops packets must not hold up Close.
	connectLimit = 5 * time.Second
	// stepLimit bounds each step of the probe after its connects: a pooler with
	// one server for all makes it wait for ever.
	stepLimit = time.Second
	// closeLimit bounds the polite end of a session of ours.
	closeLimit = time.Second
)

// ownConn is a session of devguard's own, for a probe or a drain.
type ownConn struct {
	conn         *pgconn.PgConn
	self         activity.Session // as the server sees it
	direct       bool             // nothing speaks the protocol in between, as far as one session can tell
	untranslated bool             // the server knows a client by its own socket: no address is translated on the way
}

// connect opens a session of ours, and asks nothing.
func connect(ctx context.Context, config *pgconn.Config) (*pgconn.PgConn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	config = config.Copy()
	config.RuntimeParams["application_name"] = "devguard"
	return pgconn.ConnectConfig(ctx, config)
}

// dialOwn opens a session of ours and looks at it from the server's side.
func dialOwn(ctx context.Context, config *pgconn.Config) (*ownConn, error) {
	conn, err := connect(ctx, config)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	o := &ownConn{conn: conn}
	if o.self, err = activity.Me(ctx, conn); err != nil {
		o.close(ctx)
		return nil, err
	}
	o.direct = uint32(o.self.PID) == conn.PID()
	o.untranslated = o.direct && !o.self.Unix() && o.self.Client == addrPort(conn.Conn().LocalAddr())
	return o, nil
}

// remote returns the server's address, the zero value over a Unix socket.
func (o *ownConn) remote() netip.AddrPort { return addrPort(o.conn.Conn().RemoteAddr()) }

// close ends the session, waits until the server has let go of it, and also
// does so when ctx is already over.
func (o *ownConn) close(ctx context.Context) { closeConn(ctx, o.conn) }

// closeConn ends a session, and returns when the server has closed its side:
// pgconn's Close does not wait for that, and DROP DATABASE fails until then.
// One that a timeout broke is being ended by pgconn in the background, which
// is waited for.
func closeConn(ctx context.Context, conn *pgconn.PgConn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeLimit)
	defer cancel()
	if !conn.IsClosed() {
		terminate(conn.Conn())
	}
	_ = conn.Close(ctx)
	select {
	case <-conn.CleanupDone():
	case <-ctx.Done():
	}
}

// terminate sends Terminate on a session that is idle, and returns when the server
// has closed its side, or after closeLimit.
func terminate(conn net.Conn) {
	_ = conn.SetDeadline(time.Now().Add(closeLimit))
	_, _ = conn.Write([]byte{'X', 0, 0, 0, 4})
	_, _ = io.Copy(io.Discard, conn)
}

// addrPort returns a TCP address in the form of package sockets.
func addrPort(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := tcp.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
}

// dialing is a session for the next drain in the making; what follows done may
// be read once it is closed.
type dialing struct {
	done   chan struct{}
	taken  chan struct{} // closed when the drain has it
	conn   *ownConn
	err    error
	unused bool // the app holds no socket to this upstream, which is not ours to use then
}

func newDialing() *dialing {
	return &dialing{done: make(chan struct{}), taken: make(chan struct{}), err: context.Canceled}
}

// run opens the session.
func (d *dialing) run(ctx context.Context, to *access) {
	d.conn, d.err = dialOwn(ctx, to.config)
}

// failed reports whether it has ended without a session.
func (d *dialing) failed() bool {
	select {
	case <-d.done:
		return d.err != nil
	default:
		return false
	}
}

// close ends a session dialled for nothing, when it is there.
func (d *dialing) close(ctx context.Context) {
	if <-d.done; d.conn != nil {
		d.conn.close(ctx)
	}
}
