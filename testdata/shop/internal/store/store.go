// Package store keeps users and models in Postgres.
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"example.com/shop/internal/catalog"
	"example.com/shop/internal/models"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ErrConflict says that a row with the same name is there already, or that a
// row it refers to is not.
var ErrConflict = errors.New("conflicts with what is stored")

// Store answers from a pool of connections. Its methods may be called from
// several goroutines.
type Store struct{ pool *pgxpool.Pool }

// Open makes a pool for url and waits up to patience for the server to answer.
// A server that stays silent is logged, not an error: the pool connects when
// it is back. Close the Store when done.
func Open(ctx context.Context, url string, patience time.Duration, log *slog.Logger) (*Store, error) {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	s := &Store{pool: pool}
	if err := s.await(ctx, patience); err != nil {
		log.Error("database does not answer, going on without", "error", err)
	}
	return s, nil
}

// await pings until an answer comes, for at most patience.
func (s *Store) await(ctx context.Context, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for wait := 25 * time.Millisecond; ; wait *= 2 {
		err := s.Ping(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return err
		}
	}
}

// Close waits for the queries under way and closes the connections.
func (s *Store) Close() { s.pool.Close() }

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return s.pool.Ping(ctx) }

// Users returns all users, the oldest first.
func (s *Store) Users(ctx context.Context) ([]models.User, error) {
	rows, _ := s.pool.Query(ctx, "SELECT "+models.UserColumns+" FROM users ORDER BY id") // CollectRows has the error
	return pgx.CollectRows(rows, pgx.RowToStructByName[models.User])
}

// Models returns all models, the newest first.
func (s *Store) Models(ctx context.Context) ([]models.Model, error) {
	rows, _ := s.pool.Query(ctx, "SELECT "+models.ModelColumns+" FROM models ORDER BY id DESC")
	return pgx.CollectRows(rows, pgx.RowToStructByName[models.Model])
}

// AddModel stores a draft, which waits for approval. It returns ErrConflict if
// the owner does not exist or has a model of that name.
func (s *Store) AddModel(ctx context.Context, d catalog.Draft) (models.Model, error) {
	rows, _ := s.pool.Query(ctx, "INSERT INTO models (owner_id, name, price_cents) VALUES ($1, $2, $3) RETURNING "+models.ModelColumns,
		d.OwnerID, d.Name, d.PriceCents)
	m, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[models.Model])
	var pg *pgconn.PgError
	if errors.As(err, &pg) && (pg.Code == "23505" || pg.Code == "23503") {
		return models.Model{}, fmt.Errorf("%w: %s", ErrConflict, pg.Detail)
	}
	return m, err
}
