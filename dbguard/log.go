package dbguard

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// narrator owns the wording of what is said and counts it; doc.go documents each
// line.
type narrator struct{ pool *pgxpool.Pool }

// log returns the logger of a pool that Open has made, else slog's default.
func (n narrator) log() *slog.Logger {
	if t, ok := n.pool.Config().ConnConfig.Tracer.(*tracer); ok {
		return t.logger()
	}
	return slog.Default()
}

// opened says what Open found, as a warning when the mode that was asked for does not
// work there.
func (n narrator) opened(ctx context.Context, f finding, mode pgx.QueryExecMode, source string) {
	level, hint := slog.LevelInfo, []any(nil)
	if f.kind.shares() && preparesByName(mode) {
		level = slog.LevelWarn
		hint = []any{"hint", "this mode needs a pooler that makes prepared statements follow their client; remove default_query_exec_mode, or use a direct URL"}
	}
	args := append([]any{"kind", string(f.kind), "exec_mode", mode.String(), "reason", f.reason, "source", source}, hint...)
	n.log().Log(ctx, level, "Database pool opened", args...)
}

func (n narrator) closed() { n.log().Info("Database pool closed") }

func (n narrator) retried(ctx context.Context, f failure, attempt int, delay time.Duration) {
	counters.retries.Add(1)
	if f.class == StaleStatement {
		counters.conflicts.Add(1)
		n.log().WarnContext(ctx, "Database prepared statement conflict",
			"attempt", attempt, "sqlstate", sqlState(f.err), "delay", delay)
		return
	}
	n.log().WarnContext(ctx, "Database operation retried", "class", f.class.String(),
		"attempt", attempt, "sqlstate", sqlState(f.err), "delay", delay)
}

func (n narrator) gaveUp(f failure, attempts int) {
	counters.gaveUp.Add(1)
	if f.class == StaleStatement {
		counters.conflicts.Add(1)
	}
	n.log().Error("Database retry gave up", "class", f.class.String(), "attempts", attempts,
		"sqlstate", sqlState(f.err), "error", f.err.Error())
}

func (n narrator) unknown(err error) {
	counters.unknown.Add(1)
	n.log().Error("Database commit outcome unknown", "error", err.Error())
}

func (n narrator) reset(ctx context.Context, connections, inUse int) {
	counters.resets.Add(1)
	n.log().InfoContext(ctx, "Database connections reset successfully", "connections", connections, "in_use", inUse)
}

func (n narrator) cleared(ctx context.Context, statements, connections, recycled int) {
	counters.cleared.Add(int64(statements))
	n.log().InfoContext(ctx, "Database prepared statements cleared",
		"statements", statements, "connections", connections, "recycled", recycled)
}
