package dbguard

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// OutcomeUnknownError says that COMMIT was sent and that its answer did not come, so
// that the transaction may have been committed or rolled back. It was not run again.
// Whoever has to know looks for what the transaction would have written.
type OutcomeUnknownError struct {
	Err error // why the answer did not come
}

// Error says it in a sentence.
func (e *OutcomeUnknownError) Error() string {
	return fmt.Sprintf("commit: the outcome is unknown, the transaction may have been committed or not: %v", e.Err)
}

// Unwrap returns why the answer did not come.
func (e *OutcomeUnknownError) Unwrap() error { return e.Err }

// commit sends COMMIT and finds out what its answer means.
func commit(ctx context.Context, conn *pgxpool.Conn, o pgx.TxOptions, tx pgx.Tx) failure {
	gone := conn.Conn().IsClosed() // so that COMMIT cannot be sent
	err := tx.Commit(ctx)
	switch {
	case err == nil:
		return failure{}
	case errors.Is(err, pgx.ErrTxCommitRollback), errors.Is(err, pgx.ErrTxClosed):
		return failure{err: fmt.Errorf("commit: %w", err)}
	case gone, unsent(err):
		return inTx(conn, err)
	case o.CommitQuery == "" && rolledBack(conn, err): // another query may do more than commit
		class := Classify(err)
		return failure{err: err, class: class, again: class == Conflict}
	}
	return failure{err: &OutcomeUnknownError{Err: err}, class: OutcomeUnknown}
}

// unsent reports whether not a byte was sent of what failed with err. pgconn says so
// of a closed connection too, which proves nothing: see classifySafe.
func unsent(err error) bool {
	return pgconn.SafeToRetry(err) && !errors.Is(err, pgconn.ErrConnClosed)
}

// rolledBack reports whether err is the server's own answer to COMMIT: an ERROR,
// complete with the ReadyForQuery that says that no transaction is open. A server
// commits or reports an ERROR, never both: once the commit is written it can only
// panic.
//
// FATAL is no such answer: a server that waits for its standbys has committed, and
// says 57P01 when it is told to stop waiting. Nor are the classes that poolers use
// for what happened between them and the server.
func rolledBack(conn *pgxpool.Conn, err error) bool {
	var e *pgconn.PgError
	if !errors.As(err, &e) || severity(e) != "ERROR" || conn.Conn().IsClosed() || conn.Conn().PgConn().TxStatus() != 'I' {
		return false
	}
	for _, class := range []string{"08", "57", "58", "XX"} {
		if strings.HasPrefix(e.Code, class) {
			return false
		}
	}
	return true
}

// severity returns the field that is not translated, which poolers leave out.
func severity(e *pgconn.PgError) string {
	if e.SeverityUnlocalized != "" {
		return e.SeverityUnlocalized
	}
	return e.Severity
}
