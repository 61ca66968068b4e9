package store

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/devguard/devguard/dbguard"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// connectTimeout bounds one attempt to connect where the URL does not say
// connect_timeout: a host that drops packets would be waited for minutes.
const connectTimeout = 2 * time.Second

// Store answers from a pool of connections. Its methods may be called from
// several goroutines.
type Store struct{ pool *pgxpool.Pool }

// Open makes a pool for the database of the environment and waits up to
// patience for it to answer. A database that stays silent is logged, not an
// error: the pool connects when it is back. Close the Store when done.
func Open(ctx context.Context, patience time.Duration, log *slog.Logger, opts ...dbguard.Option) (*Store, error) {
	cfg, err := dbguard.ConfigFromEnv(append([]dbguard.Option{dbguard.WithApplicationName("shop"), dbguard.WithLogger(log)}, opts...)...)
	if err != nil {
		return nil, err
	}
	if cfg.Pool.ConnConfig.ConnectTimeout == 0 {
		cfg.Pool.ConnConfig.ConnectTimeout = connectTimeout
	}
	// The pool outlives ctx: requests in flight use it until the server has
	// shut down, and then Close ends it.
	life := context.WithoutCancel(ctx)
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for wait := 25 * time.Millisecond; ; wait *= 2 {
		pool, err := cfg.Open(life)
		if err == nil {
			return &Store{pool: pool}, nil
		}
		select {
		case <-time.After(wait):
		case <-waiting.Done():
			log.Error("database does not answer, going on without", "error", err)
			return unseen(life, cfg)
		}
	}
}

// unseen makes a pool for a database that nobody has seen yet. Its mode is
// the one that is right behind a transaction pooler, and no worse elsewhere.
func unseen(ctx context.Context, cfg *dbguard.Config) (*Store, error) {
	cfg.Pool.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	pool, err := pgxpool.NewWithConfig(ctx, cfg.Pool)
	if err != nil {
		return nil, err
	}
	return &Store{pool: pool}, nil
}

// Close waits for the queries under way and closes the connections.
func (s *Store) Close() { s.pool.Close() }

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return s.pool.Ping(ctx) }

// ResetHandler replaces the pool's connections for POST; in development only.
func (s *Store) ResetHandler() http.Handler {
	return dbguard.ResetHandler(s.pool, dbguard.ResetOptions{})
}
