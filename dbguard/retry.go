package dbguard

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
)

// RetryOption changes one call of [Retry], [RetryValue] or [RetryTx].
type RetryOption func(*retrying)

// Attempts sets how often fn is run at most, the first time included; the default
// is 3, and less than 1 is 1.
func Attempts(n int) RetryOption {
	return func(r *retrying) { r.attempts = max(n, 1) }
}

// RetryError is what Retry, RetryValue and RetryTx return of an error that they did
// not cure. What is not the database's (an error that fn made, or pgx.ErrNoRows) is
// returned as it is.
type RetryError struct {
	Class    Class
	Attempts int  // how often fn was run, or would have been, had there been a connection
	Retried  bool // the class is retried, and no attempt was left
	Err      error
}

var whyNot = map[Class]string{
	Permanent:      "not retried",
	Conflict:       "not retried: only a whole transaction may be run again after this",
	ConnectionLost: "not retried: the connection was lost after the statement was sent, and it may have taken effect",
	Cancelled:      "not retried: a context has ended, or a time limit",
}

// Error says whether fn was run again, and why not.
func (e *RetryError) Error() string {
	if e.Retried {
		return fmt.Sprintf("gave up after attempt %d: %v", e.Attempts, e.Err)
	}
	return fmt.Sprintf("%s: %v", whyNot[e.Class], e.Err)
}

// Unwrap returns the last attempt's error.
func (e *RetryError) Unwrap() error { return e.Err }

// Retry runs fn, which must be one statement or safe to run twice: after an error
// that is retried, everything in it is run again. It is given a connection of the
// pool for each attempt, which it must neither release nor keep; three attempts by
// default, and between them a random part of 50 ms, then 100 ms.
//
// It is run again after errors of the classes [StaleStatement], [NotSent],
// [Terminated] and [TooManyConnections] (see [Class.Retried]). One doubt is left with
// Terminated: a server that is told to end a session in the very moment in which a
// statement has finished reports 57P01 all the same. What must not happen twice
// belongs in [RetryTx].
//
// It is never run again after a connection was lost with something sent, after an
// error of a context, nor after anything else; the *[RetryError] says so. An error
// that fn made itself, and pgx.ErrNoRows, come back as they are. When ctx ends
// while Retry waits, the error is the context's and wraps the attempt's.
//
// After a stale statement the connection concerned is cleaned, and used for the next
// attempt, when it is a session of the server's own; else it is closed.
func Retry(ctx context.Context, pool *pgxpool.Pool, fn func(ctx context.Context, conn *pgxpool.Conn) error, opts ...RetryOption) error {
	return newRetrying(pool, opts).run(ctx, func(ctx context.Context, conn *pgxpool.Conn) failure {
		return attempt(ctx, conn, fn)
	})
}

// RetryValue is [Retry] for an fn that returns a value, the zero value when it
// failed.
func RetryValue[T any](ctx context.Context, pool *pgxpool.Pool, fn func(ctx context.Context, conn *pgxpool.Conn) (T, error), opts ...RetryOption) (T, error) {
	var value T
	err := Retry(ctx, pool, func(ctx context.Context, conn *pgxpool.Conn) (err error) {
		value, err = fn(ctx, conn)
		return err
	}, opts...)
	if err != nil {
		var zero T
		return zero, err
	}
	return value, nil
}

// failure is how an attempt ended.
type failure struct {
	err   error // nil: it succeeded
	class Class
	again bool // the attempt may be repeated
}

// attempt runs fn once on conn.
func attempt(ctx context.Context, conn *pgxpool.Conn, fn func(context.Context, *pgxpool.Conn) error) failure {
	err := fn(ctx, conn)
	class := classifyOn(conn, err)
	return failure{err: err, class: class, again: class.Retried()}
}

// classifyOn is Classify for an error of a function that had conn: a connection
// that is open was not lost, so the error is somebody else's.
func classifyOn(conn *pgxpool.Conn, err error) Class {
	class := Classify(err)
	if (class == NotSent || class == ConnectionLost) && !conn.Conn().IsClosed() {
		return Permanent
	}
	return class
}

// retrying is one call of Retry or RetryTx.
type retrying struct {
	pool     *pgxpool.Pool
	attempts int
	clock    clock
	said     narrator
}

func newRetrying(pool *pgxpool.Pool, opts []RetryOption) *retrying {
	r := &retrying{pool: pool, attempts: defaultAttempts, clock: realClock, said: narrator{pool}}
	for _, o := range opts {
		o(r)
	}
	return r
}

// run repeats once until it succeeds, must not be repeated, or attempts are used up.
func (r *retrying) run(ctx context.Context, once func(context.Context, *pgxpool.Conn) failure) error {
	var conn *pgxpool.Conn // held over from an attempt that left it clean
	defer func() {
		if conn != nil {
			conn.Release()
		}
	}()
	for n := 1; ; n++ {
		f := failure{}
		if conn == nil {
			conn, f = r.acquire(ctx)
		}
		if f.err == nil {
			f = once(ctx, conn)
		}
		if f.err == nil {
			return nil
		}
		conn = r.tidy(ctx, conn, f)
		if !f.again || n >= r.attempts {
			return r.giveUp(f, n)
		}
		if err := r.pause(ctx, f, n); err != nil {
			return err
		}
	}
}

// acquire gets a connection. Whatever went wrong, nothing of the caller's was sent.
func (r *retrying) acquire(ctx context.Context) (*pgxpool.Conn, failure) {
	conn, err := r.pool.Acquire(ctx)
	if err != nil {
		class := Classify(err)
		if class == ConnectionLost {
			class = NotSent
		}
		return nil, failure{err: err, class: class, again: class.Retried()}
	}
	return conn, failure{}
}

// tidy looks after the connection of a failed attempt; it returns it when the next
// attempt is to use it.
func (r *retrying) tidy(ctx context.Context, conn *pgxpool.Conn, f failure) *pgxpool.Conn {
	if conn == nil {
		return nil
	}
	if f.class == StaleStatement && clean(ctx, r.pool, conn, f.err) {
		return conn
	}
	conn.Release()
	return nil
}

// pause says what went wrong and waits.
func (r *retrying) pause(ctx context.Context, f failure, n int) error {
	delay := r.clock.delay(n)
	r.said.retried(ctx, f, n, delay)
	if err := r.clock.wait(ctx, delay); err != nil {
		return &RetryError{Class: Cancelled, Attempts: n, Err: fmt.Errorf("%w, while waiting after: %w", err, f.err)}
	}
	return nil
}

// giveUp makes the error that the caller gets.
func (r *retrying) giveUp(f failure, n int) error {
	switch {
	case f.again:
		r.said.gaveUp(f, n)
		return &RetryError{Class: f.class, Attempts: n, Retried: true, Err: f.err}
	case f.class == OutcomeUnknown:
		r.said.unknown(f.err)
		return f.err
	case f.class == Permanent && sqlState(f.err) == "":
		return f.err
	}
	return &RetryError{Class: f.class, Attempts: n, Err: f.err}
}
