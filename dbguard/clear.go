package dbguard

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgxpool"
)

// ClearPreparedStatements makes the server and pgx's cache forget the prepared
// statements of every connection of the pool, and returns how many the server had.
//
// A connection that is a session of the server's own gets DEALLOCATE ALL. Through a
// pooler that might hit other clients' statements, so the connection is closed and
// replaced by a new one instead, as are connections that are in use, when they come
// back; what those had prepared goes with them and is not counted.
//
// The error is the context's. Nothing is retried: a connection on which it does not
// work is closed.
func ClearPreparedStatements(ctx context.Context, pool *pgxpool.Pool) (int, error) {
	before := pool.Stat().TotalConns()
	idle := pool.AcquireAllIdle(ctx)
	// What is in use now cannot be cleaned: it goes when it comes back. So do the
	// cleaned ones then, since the pool marks all or none.
	inUse := max(int(before), int(pool.Stat().AcquiredConns())) - len(idle)
	if inUse > 0 {
		pool.Reset()
	}
	statements, recycled := clearAll(ctx, idle)
	narrator{pool}.cleared(ctx, statements, len(idle), recycled+max(0, inUse))
	return statements, ctx.Err()
}

// clearAll cleans or closes connections that were acquired, and releases them.
func clearAll(ctx context.Context, conns []*pgxpool.Conn) (statements, recycled int) {
	ctx, cancel := context.WithTimeout(ctx, cleanLimit)
	defer cancel()
	var cleared, closed atomic.Int64
	var wg sync.WaitGroup
	for _, conn := range conns {
		wg.Go(func() {
			defer conn.Release()
			if n, ok := forget(ctx, conn); ok {
				cleared.Add(int64(n))
				return
			}
			closed.Add(1)
			_ = conn.Conn().Close(ctx) // it is gone either way
		})
	}
	wg.Wait()
	return int(cleared.Load()), int(closed.Load())
}
