package login

import (
	"context"
	"io"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// ServerConn is a session of a server or a pooler that has just begun.
type ServerConn struct {
	Conn    net.Conn                   // after ReadyForQuery, without deadlines; the receiver's
	PID     uint32                     // the server's own, or the pooler's; 0 when it has told none
	Status  map[string]string          // ParameterStatus
	Notices []*pgproto3.NoticeResponse // sent at login

	// Cancel sends a CancelRequest, over TLS where Conn has it, to the address that
	// Conn was dialled at. It returns when the server has closed that connection,
	// which is after it has signalled its process, or when the context is done.
	Cancel func(context.Context) error
}

// Connect opens a session with pgconn. config is copied; its OnNotice is not called.
// Errors are pgconn's; they have no password.
func Connect(ctx context.Context, config *pgconn.Config) (*ServerConn, error) {
	s := &ServerConn{}
	config = config.Copy()
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
		s.Notices = append(s.Notices, (*pgproto3.NoticeResponse)(ResponseOf((*pgconn.PgError)(n))))
	}
	at := dialled{by: config.DialFunc}
	config.DialFunc = at.dial
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	if err := conn.SyncConn(ctx); err != nil { // Hijack's documentation asks for it; without, pumps hung under load
		abandon(ctx, conn)
		return nil, err
	}
	hijacked, err := conn.Hijack()
	if err != nil {
		abandon(ctx, conn)
		return nil, err
	}
	if l, ok := hijacked.Conn.(*loggedIn); ok {
		hijacked.Conn = l.Conn
	}
	hijacked.Config.DialFunc, hijacked.Config.AfterNetConnect = at.again, nil
	// A second handle on the same connection: it knows how to cancel.
	handle, err := pgconn.Construct(hijacked)
	if err != nil {
		_ = hijacked.Conn.Close()
		return nil, err
	}
	s.Conn, s.PID, s.Status, s.Cancel = hijacked.Conn, hijacked.PID, hijacked.ParameterStatuses, handle.CancelRequest
	return s, nil
}

// Close ends a session that no client has had, and returns when the server has closed
// its side, after a second at most: until then the session is seen on the server.
func (s *ServerConn) Close() {
	_ = s.Conn.SetDeadline(time.Now().Add(goodbyeTime))
	_, _ = s.Conn.Write([]byte{'X', 0, 0, 0, 4}) // Terminate
	_, _ = io.Copy(io.Discard, s.Conn)
	_ = s.Conn.Close()
}

// dialled remembers where pgconn has dialled last. For a Unix socket a connection
// does not know that itself, and pgconn would send its CancelRequest to the first
// host of the config, whichever it has reached.
type dialled struct {
	by               pgconn.DialFunc
	network, address string
}

func (d *dialled) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d.network, d.address = network, address
	return d.by(ctx, network, address)
}

// again dials where it was dialled last.
func (d *dialled) again(ctx context.Context, _, _ string) (net.Conn, error) {
	return d.by(ctx, d.network, d.address)
}

// abandon ends a session that has broken, and returns when pgconn has closed it.
func abandon(ctx context.Context, conn *pgconn.PgConn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbyeTime)
	defer cancel()
	_ = conn.Close(ctx)
	select {
	case <-conn.CleanupDone():
	case <-ctx.Done():
	}
}

// ResponseOf returns the message that an error of pgconn was made of.
func ResponseOf(e *pgconn.PgError) *pgproto3.ErrorResponse {
	return &pgproto3.ErrorResponse{
		Severity: e.Severity, SeverityUnlocalized: e.SeverityUnlocalized, Code: e.Code, Message: e.Message, Detail: e.Detail,
		Hint: e.Hint, Position: e.Position, InternalPosition: e.InternalPosition, InternalQuery: e.InternalQuery, Where: e.Where,
		SchemaName: e.SchemaName, TableName: e.TableName, ColumnName: e.ColumnName, DataTypeName: e.DataTypeName,
		ConstraintName: e.ConstraintName, File: e.File, Line: e.Line, Routine: e.Routine,
	}
}
