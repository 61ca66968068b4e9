package dbguard

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// tracer says which statements were slow and, in development, which failed. It also
// carries the logger of a pool that Open has made.
type tracer struct {
	log    *slog.Logger  // nil: slog's default at the time
	slow   time.Duration // 0: never
	failed bool
}

func (t *tracer) logger() *slog.Logger {
	if t.log != nil {
		return t.log
	}
	return slog.Default()
}

type traced struct {
	sql   string
	began time.Time
}

type tracedKey struct{}

// TraceQueryStart is called by pgx.
func (t *tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if t.slow == 0 && !t.failed {
		return ctx
	}
	return context.WithValue(ctx, tracedKey{}, traced{sql: data.SQL, began: time.Now()})
}

// TraceQueryEnd is called by pgx.
func (t *tracer) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	q, ok := ctx.Value(tracedKey{}).(traced)
	if !ok {
		return
	}
	took := time.Since(q.began)
	if t.slow > 0 && took >= t.slow {
		t.logger().WarnContext(ctx, "Database statement slow", "statement", withoutLiterals(q.sql), "ms", took.Milliseconds())
	}
	if t.failed && data.Err != nil && Classify(data.Err) != Cancelled {
		t.logger().WarnContext(ctx, "Database statement failed", "statement", withoutLiterals(q.sql), "sqlstate", sqlState(data.Err))
	}
}

// notice says what the server warns of.
func (t *tracer) notice(_ *pgconn.PgConn, n *pgconn.Notice) {
	if severity((*pgconn.PgError)(n)) == "WARNING" {
		t.logger().Warn("Database notice", "severity", "WARNING", "sqlstate", n.Code, "message", n.Message)
	}
}
