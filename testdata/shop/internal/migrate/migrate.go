// Package migrate brings a database up to date: it applies the files of a
// directory in the order of their names, each once, each in a transaction of
// its own together with the note that it was applied. A file that fails leaves
// nothing behind.
package migrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// lockKey is the advisory lock that keeps two migrations of one database
// apart. The number means nothing; it only has to be the same everywhere.
const lockKey = 0x73686f70 // "shop"

const versionTable = `CREATE TABLE IF NOT EXISTS schema_migrations (
	name       text PRIMARY KEY,
	applied_at timestamptz NOT NULL DEFAULT now()
)`

// Up applies those *.sql files of dir that the database has not seen, and
// returns their names.
func Up(ctx context.Context, conn *pgx.Conn, dir fs.FS, log *slog.Logger) ([]string, error) {
	files, err := fs.Glob(dir, "*.sql")
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, errors.New("no *.sql file found: is this the shop's directory?")
	}
	var applied []string
	for _, name := range files {
		done, err := apply(ctx, conn, dir, name)
		if err != nil {
			return applied, fmt.Errorf("apply %w", err)
		}
		if done {
			log.Info("migrated", "file", name)
			applied = append(applied, name)
		}
	}
	return applied, nil
}

// apply runs one file unless it was applied before.
func apply(ctx context.Context, conn *pgx.Conn, dir fs.FS, name string) (done bool, err error) {
	sql, err := fs.ReadFile(dir, name)
	if err != nil {
		return false, err
	}
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		// Held to the end of the transaction, so it works through a
		// transaction pooler too.
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", lockKey); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, versionTable); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, "INSERT INTO schema_migrations (name) VALUES ($1) ON CONFLICT DO NOTHING", name)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		done = true
		// The simple protocol takes many statements at once.
		_, err = tx.Exec(ctx, string(sql), pgx.QueryExecModeSimpleProtocol)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("%s: %w", at(name, string(sql), err), err)
	}
	return done, nil
}

// at names the place in the file that the server complained about.
func at(name, sql string, err error) string {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Position < 1 {
		return name
	}
	before := []rune(sql)
	before = before[:min(int(pg.Position)-1, len(before))]
	return fmt.Sprintf("%s:%d", name, 1+strings.Count(string(before), "\n"))
}
