package main

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"
)

// pgxDriver uses pgx in its default mode: named statements, cached.
type pgxDriver struct{ pool *pgxpool.Pool }

func openPgx(ctx context.Context, url string) (driver, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.MaxConns = workers
	pool, err := pgxpool.NewWithConfig(ctx, config)
	return pgxDriver{pool}, err
}

func (d pgxDriver) query(ctx context.Context, k, id int) (r row, err error) {
	err = d.pool.QueryRow(ctx, statement(k), id).Scan(&r.id, &r.name, &r.v)
	return r, err
}

func (d pgxDriver) close() { d.pool.Close() }
