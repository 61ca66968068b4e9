package guard

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/devguard/devguard/dbguard/login"
	"github.com/devguard/devguard/dbguard/relay"
)

// reachLimit bounds how long a client waits for its session upstream. The app's
// own connect_timeout is the first to end it; a guess at what nobody sits out.
const reachLimit = 30 * time.Second

// opened is a session upstream that is a client's, or is about to be.
type opened struct {
	relay.Upstream
	local   net.Addr // our end of it
	pid     uint32   // as the upstream calls it
	status  map[string]string
	notices []*pgproto3.NoticeResponse // sent at login
}

// want is what a client asks of its session: two that are equal can have each
// other's.
type want struct {
	database string
	params   map[string]string // of its startup message
	label    string            // the application_name where the client gives none
	checks   bool              // end queries when we die
}

func (w want) equal(o want) bool {
	return w.database == o.database && w.label == o.label && w.checks == o.checks && maps.Equal(w.params, o.params)
}

// wantOf returns what a client of generation gen asks for. A server reached
// directly is also asked to end a query soon after devguard's own death, and
// sessions carry the run's label, by which a later devguard would find them:
// that of a client that has a name of its own ends by that check alone.
func (g *Guard) wantOf(u *upstream, gen int, database string, params map[string]string) want {
	v, _ := g.verdictOf(u)
	return want{database: database, params: params}.of(g.options.RunID, gen, v)
}

// of returns what the like of w is to a client of another generation.
func (w want) of(run string, gen int, v verdict) want {
	w.label, w.checks = "", false
	if v.kind == postgres && gen > 0 {
		w.label, w.checks = label(run, gen), v.checks
	}
	return w
}

// runtimeParams is what the startup message upstream says.
func (w want) runtimeParams() map[string]string {
	params := maps.Clone(w.params)
	if params == nil {
		params = map[string]string{}
	}
	if _, named := params["application_name"]; !named && w.label != "" {
		params["application_name"] = w.label
	}
	if w.checks {
		params["options"] = strings.TrimRight(connectionCheck+" "+params["options"], " ")
	}
	return params
}

// reach opens a session upstream for a client.
func (g *Guard) reach(ctx context.Context, u *upstream, w want) (*opened, error) {
	ctx, cancel := context.WithTimeout(ctx, reachLimit)
	defer cancel()
	config := g.access(u).config.Copy()
	config.Database = w.database
	config.RuntimeParams = w.runtimeParams()
	o := &opened{}
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { o.notices = append(o.notices, noticeOf(n)) }
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	if err := conn.SyncConn(ctx); err != nil { // Hijack's documentation asks for it; without, pumps hung under load
		closeConn(ctx, conn)
		return nil, err
	}
	hijacked, err := conn.Hijack()
	if err != nil {
		closeConn(ctx, conn)
		return nil, err
	}
	// A second handle on the same connection: it knows how to cancel, with TLS
	// where the connection has it.
	handle, err := pgconn.Construct(hijacked)
	if err != nil {
		_ = hijacked.Conn.Close()
		return nil, err
	}
	o.Upstream = relay.Upstream{Conn: hijacked.Conn, Cancel: handle.CancelRequest}
	o.local, o.pid, o.status = hijacked.Conn.LocalAddr(), hijacked.PID, hijacked.ParameterStatuses
	return o, nil
}

// close ends a session that nobody has had, and returns when the server has closed
// its side: until then a drain would find it, and not know whose it is.
func (o *opened) close() {
	terminate(o.Conn)
	_ = o.Conn.Close()
}

// refusalFor is what a client is told whose session could not be opened: a server's
// own words, else ours, with the code that libpq's documentation has for it.
func refusalFor(err error, u *upstream, to *access) *pgproto3.ErrorResponse {
	var server *pgconn.PgError
	if errors.As(err, &server) {
		e := responseOf(server)
		e.Severity, e.SeverityUnlocalized = "FATAL", "FATAL"
		return e
	}
	return login.Fatal("08001", fmt.Sprintf("devguard cannot reach the database %s: %s", u.subject, explain(err, to.settings).reason))
}

// responseOf returns the message that an error of pgconn was made of.
func responseOf(e *pgconn.PgError) *pgproto3.ErrorResponse {
	return &pgproto3.ErrorResponse{
		Severity: e.Severity, SeverityUnlocalized: e.SeverityUnlocalized, Code: e.Code, Message: e.Message, Detail: e.Detail,
		Hint: e.Hint, Position: e.Position, InternalPosition: e.InternalPosition, InternalQuery: e.InternalQuery, Where: e.Where,
		SchemaName: e.SchemaName, TableName: e.TableName, ColumnName: e.ColumnName, DataTypeName: e.DataTypeName,
		ConstraintName: e.ConstraintName, File: e.File, Line: e.Line, Routine: e.Routine,
	}
}

func noticeOf(n *pgconn.Notice) *pgproto3.NoticeResponse {
	return (*pgproto3.NoticeResponse)(responseOf((*pgconn.PgError)(n)))
}
