package dbguard

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/devguard/devguard/dbguard/pgtest"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

func TestRetryTx(t *testing.T) {
	s := pgtest.Start(t)
	s.Exec(t, "create table account (id int primary key, sum int); create table person (id int primary key, boss int references person deferrable initially deferred)")
	for _, c := range []struct {
		name string
		test func(*testing.T, *pgtest.Server)
	}{
		{"a row changed under repeatable read", testChangedRow},
		{"COMMIT is refused under serializable", testRefusedCommit},
		{"a deadlock", testDeadlock},
		{"a session is terminated", testTerminatedTx},
		{"a session is terminated during COMMIT", testTerminatedCommit},
		{"a constraint fails at COMMIT", testDeferred},
		{"a query of one's own fails at COMMIT", testCommitQuery},
		{"an error that fn hides", testHidden},
		{"fn ends the transaction", testEndedInside},
		{"fn leaves rows open", testRowsOpen},
		{"the context ends before COMMIT", testCancelledTx},
		{"the answer to COMMIT is cut", testCutCommit},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.Exec(t, "truncate account; truncate person; insert into account values (1, 0), (2, 0)")
			c.test(t, s)
		})
	}
}

// add is a transaction that reads one account and writes another.
func add(ctx context.Context, tx pgx.Tx, read, write int) (err error) {
	var sum int
	if err := tx.QueryRow(ctx, "select sum from account where id = $1", read).Scan(&sum); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "update account set sum = sum + 1 + $2 where id = $1", write, sum)
	return err
}

func testChangedRow(t *testing.T, s *pgtest.Server) {
	pool, _ := plainPool(t, s.URL(pgtest.Conn{}), 2)
	var first error
	runs := 0
	err := RetryTx(testContext(t), pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, func(ctx context.Context, tx pgx.Tx) error {
		runs++
		var sum int
		if err := tx.QueryRow(ctx, "select sum from account where id = 1").Scan(&sum); err != nil {
			return err
		}
		if runs == 1 {
			mustExec(t, pool, "update account set sum = 10 where id = 1")
		}
		_, err := tx.Exec(ctx, "update account set sum = sum + 1 where id = $1", 1)
		first = errors.Join(first, err)
		return err
	}, (&waits{}).option())
	wantState(t, first, "40001", Conflict)
	if err != nil || runs != 2 {
		t.Errorf("%v after %d runs", err, runs)
	}
	until(t, s, "11", "select sum from account where id = 1")
}

// The 40001 is the answer to COMMIT itself.
func testRefusedCommit(t *testing.T, s *pgtest.Server) {
	pool, log := plainPool(t, s.URL(pgtest.Conn{}), 2)
	runs, answered := 0, 0
	serializable := pgx.TxOptions{IsoLevel: pgx.Serializable}
	err := RetryTx(testContext(t), pool, serializable, func(ctx context.Context, tx pgx.Tx) error {
		runs++
		if runs > 1 {
			return add(ctx, tx, 1, 2)
		}
		other, err := pool.BeginTx(ctx, serializable)
		if err != nil {
			return err
		}
		if err := errors.Join(add(ctx, tx, 1, 2), add(ctx, other, 2, 1), other.Commit(ctx)); err != nil {
			return err
		}
		answered++ // nothing has failed: what follows is COMMIT
		return nil
	}, (&waits{}).option())
	if err != nil || runs != 2 || answered != 1 || !strings.Contains(log.String(), "class=conflict attempt=1 sqlstate=40001") {
		t.Errorf("%v after %d runs, %d of them up to COMMIT; log:\n%s", err, runs, answered, log)
	}
	until(t, s, "1 2", "select string_agg(sum::text, ' ' order by id) from account")
}

func testDeadlock(t *testing.T, s *pgtest.Server) {
	pool, log := plainPool(t, s.URL(pgtest.Conn{Params: "deadlock_timeout=20ms"}), 2)
	met := make(chan struct{})
	arrived := make(chan struct{}, 2)
	go func() {
		<-arrived
		<-arrived
		close(met)
	}()
	results := make(chan error, 2)
	for _, order := range [][2]int{{1, 2}, {2, 1}} {
		go func() {
			runs := 0
			results <- RetryTx(testContext(t), pool, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
				runs++
				for i, id := range order {
					if _, err := tx.Exec(ctx, "update account set sum = sum + 1 where id = $1", id); err != nil {
						return err
					}
					if runs == 1 && i == 0 {
						arrived <- struct{}{}
						<-met
					}
				}
				return nil
			})
		}()
	}
	if err := errors.Join(<-results, <-results); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "class=conflict attempt=1 sqlstate=40P01") {
		t.Errorf("log:\n%s", log)
	}
	until(t, s, "2 2", "select string_agg(sum::text, ' ' order by id) from account")
}

func testTerminatedTx(t *testing.T, s *pgtest.Server) {
	pool, _ := plainPool(t, s.URL(pgtest.Conn{}), 1)
	runs := 0
	err := RetryTx(testContext(t), pool, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
		runs++
		if err := add(ctx, tx, 1, 1); err != nil {
			return err
		}
		if runs == 1 {
			_, err := tx.Exec(ctx, "select pg_terminate_backend(pg_backend_pid())")
			return err
		}
		return nil
	}, (&waits{}).option())
	if err != nil || runs != 2 {
		t.Errorf("%v after %d runs", err, runs)
	}
	until(t, s, "1", "select sum from account where id = 1")
}

// 57P01 as the answer to COMMIT is retried in no case: it may come after the commit.
func testTerminatedCommit(t *testing.T, s *pgtest.Server) {
	s.Exec(t, `create or replace function die() returns trigger language plpgsql as
		$$ begin perform pg_terminate_backend(pg_backend_pid()); return null; end $$;
		create table fatal (id int);
		create constraint trigger die after insert on fatal deferrable initially deferred for each row execute function die()`)
	pool, log := plainPool(t, s.URL(pgtest.Conn{}), 1)
	before, runs := Stats().OutcomeUnknown, 0
	err := RetryTx(testContext(t), pool, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
		runs++
		_, err := tx.Exec(ctx, "insert into fatal values (1)")
		return err
	}, (&waits{}).option())
	var unknown *OutcomeUnknownError
	if !errors.As(err, &unknown) || Classify(err) != OutcomeUnknown || runs != 1 || !strings.Contains(err.Error(), "the outcome is unknown") {
		t.Errorf("%v after %d runs", err, runs)
	}
	if Stats().OutcomeUnknown != before+1 || log.count("Database commit outcome unknown") != 1 {
		t.Errorf("%+v, log:\n%s", Stats(), log)
	}
}

// The server has refused the transaction: that is known, and no use to repeat.
func testDeferred(t *testing.T, s *pgtest.Server) {
	pool, _ := plainPool(t, s.URL(pgtest.Conn{}), 1)
	runs := 0
	err := RetryTx(testContext(t), pool, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
		runs++
		_, err := tx.Exec(ctx, "insert into person values (1, 2)")
		return err
	}, (&waits{}).option())
	wantState(t, err, "23503", Permanent)
	if runs != 1 || !strings.HasPrefix(err.Error(), "not retried: ") {
		t.Errorf("%v after %d runs", err, runs)
	}
}

// What fails came after the commit: to run it again would commit twice.
func testCommitQuery(t *testing.T, s *pgtest.Server) {
	pool, _ := plainPool(t, s.URL(pgtest.Conn{}), 1)
	after := pgx.TxOptions{CommitQuery: "commit; do $$ begin raise sqlstate '40001'; end $$"}
	err := RetryTx(testContext(t), pool, after, func(ctx context.Context, tx pgx.Tx) error {
		return add(ctx, tx, 2, 1)
	}, (&waits{}).option())
	wantState(t, err, "40001", OutcomeUnknown)
	until(t, s, "1", "select sum from account where id = 1")
}

func testHidden(t *testing.T, s *pgtest.Server) {
	pool, _ := plainPool(t, s.URL(pgtest.Conn{}), 1)
	err := RetryTx(testContext(t), pool, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
		_, _ = tx.Exec(ctx, "select 1/0")
		return nil
	}, (&waits{}).option())
	if !errors.Is(err, pgx.ErrTxCommitRollback) {
		t.Error(err)
	}
}

func testEndedInside(t *testing.T, s *pgtest.Server) {
	pool, _ := plainPool(t, s.URL(pgtest.Conn{}), 1)
	conflict := func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Conn().Exec(ctx, "do $$ begin raise sqlstate '40001'; end $$")
		return err
	}
	for _, c := range []struct {
		name string
		runs int
		want error
		fn   func(context.Context, pgx.Tx) error
	}{
		{"by Commit", 1, errCommitInside, func(ctx context.Context, tx pgx.Tx) error { return tx.Commit(ctx) }},
		{"by COMMIT", 1, errCommitInside, func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, " Commit;")
			return err
		}},
		{"by COMMIT on the connection", 1, errEndedInside, func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Conn().Exec(ctx, "commit")
			return err
		}},
		{"by COMMIT on the connection, then a conflict", 1, errEndedInside, func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Conn().Exec(ctx, "commit")
			return errors.Join(err, conflict(ctx, tx))
		}},
		{"by Rollback, without an error", 1, errEndedInside, func(ctx context.Context, tx pgx.Tx) error { return tx.Rollback(ctx) }},
		{"by Rollback, after a conflict", 3, nil, func(ctx context.Context, tx pgx.Tx) error {
			err := conflict(ctx, tx)
			return errors.Join(err, tx.Rollback(ctx))
		}},
	} {
		runs := 0
		err := RetryTx(testContext(t), pool, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
			runs++
			return c.fn(ctx, tx)
		}, (&waits{}).option())
		if err == nil || runs != c.runs || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v after %d runs", c.name, err, runs)
		}
	}
}

func testRowsOpen(t *testing.T, s *pgtest.Server) {
	pool, _ := plainPool(t, s.URL(pgtest.Conn{}), 1)
	err := RetryTx(testContext(t), pool, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Query(ctx, "select generate_series(1, 10)")
		return err
	}, (&waits{}).option())
	if !errors.Is(err, errRowsOpen) {
		t.Error(err)
	}
	mustExec(t, pool, "select 1")
}

func testCancelledTx(t *testing.T, s *pgtest.Server) {
	pool, _ := plainPool(t, s.URL(pgtest.Conn{}), 1)
	for _, result := range []error{nil, errors.New("fn's own")} {
		ctx, cancel := context.WithCancel(testContext(t))
		err := RetryTx(ctx, pool, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
			err := add(ctx, tx, 1, 1)
			cancel()
			return errors.Join(err, result)
		}, (&waits{}).option())
		if result == nil && Classify(err) != Cancelled || result != nil && !errors.Is(err, result) {
			t.Error(err)
		}
	}
	until(t, s, "0", "select sum from account where id = 1")
}

// The answer to COMMIT is cut after each of its bytes: it has taken effect, which
// nobody can know.
func testCutCommit(t *testing.T, s *pgtest.Server) {
	relay := newFaulty(t, net.JoinHostPort(s.Host, strconv.Itoa(s.Port)))
	pool, _ := plainPool(t, relay.url(t, s.URL(pgtest.Conn{})), 1)
	one := func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "insert into account values ($1, 0)", pgx.QueryExecModeExec, 3)
		return err
	}
	whole := wholeTx(t, pool, relay, one)
	for left := 1; left < commitBytes[1]; left++ {
		s.Exec(t, "delete from account where id = 3")
		relay.arm([]cut{{fromServer: true, after: whole - left}})
		err := RetryTx(testContext(t), pool, pgx.TxOptions{}, one, (&waits{}).option())
		if Classify(err) != OutcomeUnknown {
			t.Errorf("%d bytes missing: %v", left, err)
		}
		until(t, s, "1", "select count(*) from account where id = 3")
		relay.arm(nil)
		mustExec(t, pool, "select 1")
	}
}

// wholeTx returns how many bytes the server sends for a transaction.
func wholeTx(t *testing.T, pool *pgxpool.Pool, relay *faulty, fn func(context.Context, pgx.Tx) error) int {
	t.Helper()
	mustExec(t, pool, "select 1")
	relay.arm(nil)
	if err := RetryTx(testContext(t), pool, pgx.TxOptions{}, fn); err != nil {
		t.Fatal(err)
	}
	return relay.passed()[1]
}
