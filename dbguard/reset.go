package dbguard

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Reset replaces every connection of the pool without failing what is in flight: idle
// connections are closed at once, those in use when they come back. Then it makes
// sure that the database answers, for which it waits for a free connection as any
// query does.
//
// The error says that it did not, or wraps the context's; the old connections are
// gone all the same. Nothing is retried.
func Reset(ctx context.Context, pool *pgxpool.Pool) error {
	_, _, err := reset(ctx, pool)
	return err
}

// reset is Reset; it returns what was closed at once and what is in use still.
func reset(ctx context.Context, pool *pgxpool.Pool) (closed, inUse int, err error) {
	closed, inUse = replace(ctx, pool)
	if err := pool.Ping(ctx); err != nil {
		return closed, inUse, fmt.Errorf("reset: the connections are closed, but the database does not answer on a new one: %w", err)
	}
	narrator{pool}.reset(ctx, closed, inUse)
	return closed, inUse, nil
}

// replace closes what is idle, which frees its place in the pool only when it is
// closed: pgxpool's own Reset closes in the background, and new connections may then
// meet the server's limit. What is in use is marked.
func replace(ctx context.Context, pool *pgxpool.Pool) (closed, inUse int) {
	idle := pool.AcquireAllIdle(ctx)
	inUse = max(0, int(pool.Stat().AcquiredConns())-len(idle))
	pool.Reset()
	recycle(ctx, idle)
	return len(idle), inUse
}

// recycle closes connections that were acquired.
func recycle(ctx context.Context, conns []*pgxpool.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for _, conn := range conns {
		wg.Go(func() {
			_ = conn.Conn().Close(ctx) // it is gone either way
			conn.Release()
		})
	}
	wg.Wait()
}
