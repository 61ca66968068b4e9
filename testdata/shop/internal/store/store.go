// Package store keeps users and models in Postgres. Reads are tried again by
// dbguard.Retry, writes, which must not happen twice, by dbguard.RetryTx.
package store

import (
	"context"
	"fmt"

	"example.com/shop/internal/catalog"
	"example.com/shop/internal/models"
	"github.com/devguard/devguard/dbguard"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Users returns all users, the oldest first.
func (s *Store) Users(ctx context.Context) ([]models.User, error) {
	return read(ctx, s, pgx.CollectRows[models.User], "SELECT "+models.UserColumns+" FROM users ORDER BY id")
}

// User returns the user with an address, else ErrNotFound.
func (s *Store) User(ctx context.Context, email string) (models.User, error) {
	return read(ctx, s, pgx.CollectExactlyOneRow[models.User], "SELECT "+models.UserColumns+" FROM users WHERE email = $1", email)
}

// Models returns all models, the newest first.
func (s *Store) Models(ctx context.Context) ([]models.Model, error) {
	return read(ctx, s, pgx.CollectRows[models.Model], "SELECT "+models.ModelColumns+" FROM models ORDER BY id DESC")
}

// UserModels returns the models of one owner, the newest first.
func (s *Store) UserModels(ctx context.Context, owner int64) ([]models.Model, error) {
	return read(ctx, s, pgx.CollectRows[models.Model], "SELECT "+models.ModelColumns+" FROM models WHERE owner_id = $1 ORDER BY id DESC", owner)
}

// PendingModels returns the models that wait for approval, the oldest first.
func (s *Store) PendingModels(ctx context.Context) ([]models.Model, error) {
	return read(ctx, s, pgx.CollectRows[models.Model], "SELECT "+models.ModelColumns+" FROM models WHERE status = 'pending' ORDER BY id")
}

// AddModel stores a draft, which waits for approval. It returns ErrConflict if
// the owner does not exist or has a model of that name.
func (s *Store) AddModel(ctx context.Context, d catalog.Draft) (models.Model, error) {
	return write(ctx, s, func(ctx context.Context, tx pgx.Tx) (models.Model, error) {
		return one[models.Model](ctx, tx, "INSERT INTO models (owner_id, name, price_cents) VALUES ($1, $2, $3) RETURNING "+models.ModelColumns,
			d.OwnerID, d.Name, d.PriceCents)
	})
}

// Decide approves or rejects a model that is pending, and notes it. It returns
// ErrNotFound if there is no such model, and ErrConflict if it is not pending.
func (s *Store) Decide(ctx context.Context, id int64, v catalog.Verdict) (models.Model, error) {
	return write(ctx, s, func(ctx context.Context, tx pgx.Tx) (m models.Model, err error) {
		m, err = one[models.Model](ctx, tx, "SELECT "+models.ModelColumns+" FROM models WHERE id = $1 FOR UPDATE", id)
		if err != nil {
			return m, err
		}
		if m.Status != "pending" {
			return m, fmt.Errorf("%w: model %d is %s", ErrConflict, id, m.Status)
		}
		m.Status = string(v)
		if _, err := tx.Exec(ctx, "UPDATE models SET status = $2 WHERE id = $1", id, m.Status); err != nil {
			return m, err
		}
		_, err = tx.Exec(ctx, "INSERT INTO decisions (model_id, verdict) VALUES ($1, $2)", id, m.Status)
		return m, err
	})
}

// read runs a query that changes nothing, so that it may run twice.
func read[T, R any](ctx context.Context, s *Store, collect func(pgx.Rows, pgx.RowToFunc[T]) (R, error), sql string, args ...any) (R, error) {
	r, err := dbguard.RetryValue(ctx, s.pool, func(ctx context.Context, conn *pgxpool.Conn) (R, error) {
		rows, _ := conn.Query(ctx, sql, args...) // collect has the error
		return collect(rows, pgx.RowToStructByName[T])
	})
	return r, explain(err)
}

// write runs fn in a transaction, the whole of it again when that is safe.
func write[T any](ctx context.Context, s *Store, fn func(context.Context, pgx.Tx) (T, error)) (T, error) {
	var result, none T
	err := dbguard.RetryTx(ctx, s.pool, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) (err error) {
		result, err = fn(ctx, tx)
		return err
	})
	if err != nil {
		return none, explain(err)
	}
	return result, nil
}

// one returns the row that a statement has to return, else pgx.ErrNoRows.
func one[T any](ctx context.Context, tx pgx.Tx, sql string, args ...any) (T, error) {
	rows, _ := tx.Query(ctx, sql, args...) // CollectExactlyOneRow has the error
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[T])
}
