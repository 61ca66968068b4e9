package dbguard

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// rollbackLimit bounds a ROLLBACK, which is sent although the caller's context has
// ended; after it the connection is closed, and the server rolls back by itself.
const rollbackLimit = 2 * time.Second

// RetryTx runs fn inside a transaction, commits it when fn returns nil and rolls it
// back when it does not. After an error that is retried, the whole transaction is run
// again on a connection of the pool, so what fn does besides must be safe to do
// twice. Three attempts by default, with the pauses of [Retry].
//
// It is run again after errors of the classes [StaleStatement], [NotSent],
// [Terminated], [TooManyConnections], [Conflict] and [ConnectionLost], as long as
// COMMIT was not sent (see [Class.RetriedInTx]); and when the server's own answer to
// COMMIT is 40001 or 40P01, which says that it has rolled back.
//
// It is never run again after any other error of COMMIT. A COMMIT whose answer did
// not come is an *[OutcomeUnknownError]: the transaction may have been committed or
// not. Other errors are those of [Retry]; with each of them, nothing was committed.
//
// fn must leave the end of the transaction to RetryTx: tx.Commit and COMMIT are
// refused, and an end that comes about in another way is an error when fn returns (had
// its answer been lost, RetryTx could not know). After a tx.Rollback fn must
// return an error. A panic in fn rolls back and goes on. After any error of a
// txOptions.CommitQuery the outcome is unknown.
func RetryTx(ctx context.Context, pool *pgxpool.Pool, txOptions pgx.TxOptions, fn func(ctx context.Context, tx pgx.Tx) error, opts ...RetryOption) error {
	return newRetrying(pool, opts).run(ctx, func(ctx context.Context, conn *pgxpool.Conn) failure {
		return attemptTx(ctx, conn, txOptions, fn)
	})
}

var (
	errCommitInside = errors.New("RetryTx commits the transaction itself when the function returns nil")
	errEndedInside  = errors.New("the function given to RetryTx has ended the transaction itself")
	errRowsOpen     = errors.New("the function given to RetryTx has left rows or a batch open")
)

// guardedTx is the transaction that fn gets: it cannot be committed by fn, since a
// lost answer to that could not be told from a transaction that never got there.
type guardedTx struct {
	pgx.Tx
	rolledBack bool
}

func (tx *guardedTx) Commit(context.Context) error { return errCommitInside }

// Exec refuses the plain words too; what is hidden in a longer string or sent on the
// connection itself is noticed only when its answer came.
func (tx *guardedTx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if words := strings.FieldsFunc(sql, func(r rune) bool { return r == ';' || unicode.IsSpace(r) }); len(words) > 0 {
		if strings.EqualFold(words[0], "commit") || strings.EqualFold(words[0], "end") {
			return pgconn.CommandTag{}, errCommitInside
		}
	}
	return tx.Tx.Exec(ctx, sql, args...)
}

func (tx *guardedTx) Rollback(ctx context.Context) error {
	tx.rolledBack = true
	return tx.Tx.Rollback(ctx)
}

// attemptTx runs the transaction once.
func attemptTx(ctx context.Context, conn *pgxpool.Conn, o pgx.TxOptions, fn func(context.Context, pgx.Tx) error) failure {
	begun, err := conn.BeginTx(ctx, o)
	if err != nil {
		return inTx(conn, err)
	}
	tx := &guardedTx{Tx: begun}
	defer func() { rollback(ctx, begun) }() // also on a panic; does nothing once it has ended
	err = fn(ctx, tx)
	if problem := tx.problem(err); problem != nil {
		return failure{err: problem}
	}
	if err != nil {
		f := inTx(conn, err)
		rollback(ctx, begun)
		return f
	}
	return commit(ctx, conn, o, begun)
}

// inTx is how an attempt has failed before its COMMIT was sent.
func inTx(conn *pgxpool.Conn, err error) failure {
	class := classifyOn(conn, err)
	return failure{err: err, class: class, again: class.RetriedInTx()}
}

// problem returns what fn has done that makes the end of the transaction unsure; err
// is what it returned.
func (tx *guardedTx) problem(err error) error {
	conn := tx.Conn()
	switch {
	case conn.IsClosed():
		return nil
	case err == nil && conn.PgConn().IsBusy():
		return errRowsOpen
	case tx.rolledBack && err != nil:
		return nil
	case conn.PgConn().TxStatus() == 'I':
		return errors.Join(errEndedInside, err)
	}
	return nil
}

// rollback ends a transaction that is not to be committed. When it cannot, pgx has
// closed the connection.
func rollback(ctx context.Context, tx pgx.Tx) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackLimit)
	defer cancel()
	_ = tx.Rollback(ctx)
}
