package guard

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devguard/devguard/dbguard/activity"
	"github.com/devguard/devguard/dbguard/dsn"
)

const (
	// connectLimit bounds one connect of ours. A hosted server is 200 ms away
	// and wants five round trips; one that drops packets must not hold up Close.
	connectLimit = 5 * time.Second
	// stepLimit bounds each step of the probe after its connects (postgres.md
	// §4: a pool of one makes it wait for ever).
	stepLimit = time.Second
	// closeLimit bounds the polite end of a session of ours.
	closeLimit = time.Second
)

// line is a session of our own.
type line struct {
	conn   *pgconn.PgConn
	me     activity.Session // itself, as the server sees it
	direct bool             // nothing speaks the protocol in between, as far as one session can tell
	mapped bool             // addresses are not translated on the way: the server knows a client by its own socket
}

// connect opens a session of ours, and asks nothing.
func connect(ctx context.Context, config *pgconn.Config) (*pgconn.PgConn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	config = config.Copy()
	config.RuntimeParams["application_name"] = "devguard"
	return pgconn.ConnectConfig(ctx, config)
}

// dialLine opens a session of ours and looks at it from the server's side.
func dialLine(ctx context.Context, config *pgconn.Config) (*line, error) {
	conn, err := connect(ctx, config)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	l := &line{conn: conn}
	if l.me, err = activity.Me(ctx, conn); err != nil {
		l.close(ctx)
		return nil, err
	}
	l.direct = uint32(l.me.PID) == conn.PID()
	l.mapped = l.direct && !l.me.Unix() && l.me.Client == addrPort(conn.Conn().LocalAddr())
	return l, nil
}

// remote returns the server's address, the zero value over a Unix socket.
func (l *line) remote() netip.AddrPort { return addrPort(l.conn.Conn().RemoteAddr()) }

// close ends the session, waits until the server has let go of it, and also
// does so when ctx is already over.
func (l *line) close(ctx context.Context) { closeConn(ctx, l.conn) }

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

// terminate says goodbye on a session that is idle, and returns when the server has
// closed its side, or after closeLimit.
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

// trouble is why a server could not be used.
type trouble struct {
	reason  string // one line, without secrets, the same each time for the same trouble
	reached bool   // something answered
	full    bool   // no session was free: worth another try
}

// explain says in one line why connect failed.
func explain(err error, s dsn.Settings) trouble {
	var server *pgconn.PgError
	var unknown *net.DNSError
	var op *net.OpError
	switch {
	case errors.As(err, &server):
		reason := s.Scrub(fmt.Sprintf("the server refuses us: %s (%s)", oneLine(server.Message), server.Code))
		return trouble{reason, true, isFull(server)}
	case errors.As(err, &unknown) && !unknown.IsTimeout:
		return trouble{reason: fmt.Sprintf("the host %q is not known", unknown.Name)}
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOENT):
		return trouble{reason: "nothing listens there"}
	case isCertificate(err):
		return trouble{reason: s.Scrub("its certificate is not accepted: " + oneLine(errors.Unwrap(err).Error())), reached: true}
	case timedOut(err):
		return trouble{reason: "no answer in time"}
	case errors.As(err, &op): // its text would hold our port, a new one each time
		return trouble{reason: s.Scrub(fmt.Sprintf("%s: %v", op.Op, op.Err)), reached: op.Op != "dial"}
	}
	return trouble{reason: s.Scrub(oneLine(err.Error())), reached: true}
}

// isCertificate reports whether a server's certificate is the trouble.
func isCertificate(err error) bool {
	var unverified *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	return errors.As(err, &unverified) || errors.As(err, &authority)
}

// timedOut reports whether err says that time ran out. The clock of ctx is no
// help: a socket's own deadline may fire a moment before it.
func timedOut(err error) bool {
	var network net.Error
	return pgconn.Timeout(err) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) && network.Timeout()
}

// isFull reports whether the server or a pooler has no session left for us.
func isFull(e *pgconn.PgError) bool {
	return e.Code == "53300" || e.Code == "57P03" // too_many_connections, cannot_connect_now
}

// oneLine puts a message of several lines on one.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
