package dbguard

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// cleanLimit bounds the cleaning of one connection: a round trip or two.
const cleanLimit = 2 * time.Second

// clean makes conn fit for another attempt after a stale statement: true when it is.
// A session of the server's own forgets all its statements; through a pooler they may
// be anybody's, and the connection is closed.
func clean(ctx context.Context, pool *pgxpool.Pool, conn *pgxpool.Conn, cause error) bool {
	ctx, cancel := context.WithTimeout(ctx, cleanLimit)
	defer cancel()
	if _, ok := forget(ctx, conn); ok {
		return true
	}
	_ = conn.Conn().Close(ctx) // it is dropped in any case
	if sqlState(cause) == "0A000" {
		// The schema has changed under every other connection as well: without
		// this the next attempt would meet the next of them.
		pool.Reset()
	}
	return false
}

// forget makes server and client forget the prepared statements of conn, if the
// session is its own, and returns how many the server had; else false, and nothing
// was forgotten.
func forget(ctx context.Context, conn *pgxpool.Conn) (int, bool) {
	raw := conn.Conn()
	if raw.IsClosed() || raw.PgConn().IsBusy() || raw.PgConn().TxStatus() != 'I' {
		return 0, false
	}
	n, err := ownStatements(ctx, raw.PgConn())
	if err != nil {
		return 0, false
	}
	if err := raw.DeallocateAll(ctx); err != nil {
		_ = raw.Close(ctx) // the client has forgotten, the server perhaps not
		return 0, false
	}
	return n, true
}

var errShared = errors.New("a pooler stands between this connection and its server")

// ownStatements returns the number of prepared statements of a session that is the
// connection's own: the server's process id is the one told at login, while a pooler
// tells a number of its own there. By the simple protocol, which prepares nothing.
func ownStatements(ctx context.Context, conn *pgconn.PgConn) (int, error) {
	results, err := conn.Exec(ctx, "select pg_catalog.pg_backend_pid(), count(*) from pg_catalog.pg_prepared_statements").ReadAll()
	if err != nil {
		return 0, err
	}
	if len(results) != 1 || len(results[0].Rows) != 1 || len(results[0].Rows[0]) != 2 {
		return 0, errors.New("the server's process id did not come back")
	}
	row := results[0].Rows[0]
	if string(row[0]) != strconv.FormatUint(uint64(conn.PID()), 10) {
		return 0, errShared
	}
	return strconv.Atoi(string(row[1]))
}
