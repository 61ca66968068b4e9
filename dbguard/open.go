package dbguard

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Open makes a pool of what the environment says ([ConfigFromEnv]). It connects, to
// find out what is behind the URL: through a transaction pooler pgx's own way of
// preparing statements does not work, and Open has it describe statements once and
// send them whole each time (pgx.QueryExecModeCacheDescribe), unless
// default_query_exec_mode in the URL or [WithExecMode] says otherwise. That is so for
// poolers too that make prepared statements follow their client (PgBouncer 1.21 and
// later), where a statement stays stale for everybody once a result type has changed.
// What pools in a way that could not be found out is taken for a transaction pooler.
// One log line says what it found.
//
// ctx is the life of the pool: when it ends, statements in flight are finished and
// their connections closed; nothing new begins. pool.Close does the same, and waits:
// call it before the process ends. So ctx must outlive the requests that a graceful
// shutdown still serves: not the context of the signal, and none with a timeout (the
// URL's connect_timeout bounds the connect).
//
// It fails when ConfigFromEnv does, when the database does not let us in, or when
// ctx ends first. The error wraps pgx's, and holds no password. Nothing is retried.
func Open(ctx context.Context, opts ...Option) (*pgxpool.Pool, error) {
	c, err := ConfigFromEnv(opts...)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	return c.Open(ctx)
}

// Open is the function Open for a configuration that was read before.
func (c *Config) Open(ctx context.Context) (*pgxpool.Pool, error) {
	found, err := detect(ctx, &c.Pool.ConnConfig.Config)
	if err != nil {
		return nil, fmt.Errorf("open the database of %s: %w", c.Source, err)
	}
	config := c.Pool.Copy()
	if !c.explicit && found.kind.shares() {
		config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open the database of %s: %w", c.Source, err)
	}
	said := narrator{pool}
	said.opened(ctx, found, config.ConnConfig.DefaultQueryExecMode, c.Source)
	context.AfterFunc(ctx, func() {
		pool.Close()
		said.closed()
	})
	return pool, nil
}

// preparesByName reports whether a mode relies on the next transaction finding what
// this one has prepared.
func preparesByName(mode pgx.QueryExecMode) bool {
	return mode == pgx.QueryExecModeCacheStatement || mode == pgx.QueryExecModeDescribeExec
}
