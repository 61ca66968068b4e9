package dbguard

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/devguard/devguard/dbguard/pgtest"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const answer = "select 'answer ' || $1::text"

// Each has poolers of its own, so that nothing is prepared on their servers.
func TestStaleStatements(t *testing.T) {
	s := pgtest.Start(t)
	for _, c := range []struct {
		name string
		test func(*testing.T, *pgtest.Server)
	}{
		{"exists already behind a pooler", testExistsPooled},
		{"does not exist behind a pooler", testMissingPooled},
		{"the unnamed one does not exist behind a pooler", testUnnamedPooled},
		{"a result type changes behind a transaction pooler", testTypeChangesPooled},
		{"a result type changes", testTypeChanges},
		{"exists already on a server", testExists},
		{"does not exist on a server", testMissing},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, s) })
	}
}

// wantState fails the test unless err is the server's, of the code and class given.
func wantState(t *testing.T, err error, code string, class Class) {
	t.Helper()
	if sqlState(err) != code || Classify(err) != class {
		t.Errorf("%v: sqlstate %s, class %s; want %s, %s", err, sqlState(err), Classify(err), code, class)
	}
}

// A statement that another client has prepared on the server behind the pooler: what
// the documentation calls 42P05. There is no cure but another mode; what must not
// happen is that somebody else's statements are deallocated.
func testExistsPooled(t *testing.T, s *pgtest.Server) {
	b := pgtest.PgBouncer(t, s, pgtest.Pool{Size: 1})
	first, _ := plainPool(t, b.URL(pgtest.Conn{}), 1)
	second, log := plainPool(t, b.URL(pgtest.Conn{}), 1)
	if _, err := query(testContext(t), first, answer, "1"); err != nil {
		t.Fatal(err)
	}
	w, runs := &waits{}, 0
	var pids []string
	_, err := RetryValue(testContext(t), second, func(ctx context.Context, conn *pgxpool.Conn) (string, error) {
		runs++
		pids = append(pids, pidOf(conn))
		return query(ctx, conn, answer, "2")
	}, w.option())
	wantState(t, err, "42P05", StaleStatement)
	var gaveUp *RetryError
	if !errors.As(err, &gaveUp) || !gaveUp.Retried || gaveUp.Attempts != 3 || runs != 3 || !strings.HasPrefix(err.Error(), "gave up after attempt 3: ") {
		t.Errorf("%v after %d runs", err, runs)
	}
	if pids[0] == pids[1] || pids[1] == pids[2] {
		t.Errorf("a connection was used again: %v", pids)
	}
	if log.count("Database prepared statement conflict") != 2 || log.count("Database retry gave up") != 1 ||
		!strings.Contains(log.String(), "attempt=1 sqlstate=42P05 delay=50ms") {
		t.Errorf("log:\n%s", log)
	}
	if got, err := query(testContext(t), first, answer, "1"); err != nil {
		t.Errorf("the other client's statement is gone: %q, %v", got, err)
	}
}

// A statement that was prepared on another server of the pooler: 26000. A new
// connection prepares it anew.
func testMissingPooled(t *testing.T, s *pgtest.Server) {
	b := pgtest.PgBouncer(t, s, pgtest.Pool{Size: 2})
	pool, log := plainPool(t, b.URL(pgtest.Conn{}), 1)
	other, _ := plainPool(t, b.URL(pgtest.Conn{}), 1)
	if _, err := query(testContext(t), pool, answer, "1"); err != nil {
		t.Fatal(err)
	}
	tx, err := other.Begin(testContext(t)) // takes the server that pool was on
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(testContext(t))
	var first error
	got, err := RetryValue(testContext(t), pool, func(ctx context.Context, conn *pgxpool.Conn) (string, error) {
		v, err := query(ctx, conn, answer, "2")
		first = errors.Join(first, err)
		return v, err
	}, (&waits{}).option())
	wantState(t, first, "26000", StaleStatement)
	if got != "answer 2" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if log.count("Database prepared statement conflict") != 1 {
		t.Errorf("log:\n%s", log)
	}
}

// The unnamed statement is another client's after two round trips.
func testUnnamedPooled(t *testing.T, s *pgtest.Server) {
	b := pgtest.PgBouncer(t, s, pgtest.Pool{Size: 1})
	ctx := testContext(t)
	a, err := pgconn.Connect(ctx, b.URL(pgtest.Conn{}))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close(ctx)
	if _, err := a.Prepare(ctx, "", "select 1", nil); err != nil {
		t.Fatal(err)
	}
	pool, _ := plainPool(t, b.URL(pgtest.Conn{}), 1)
	mustExec(t, pool, "select 2", pgx.QueryExecModeSimpleProtocol)
	err = a.ExecPrepared(ctx, "", nil, nil, nil).Read().Err
	wantState(t, err, "26000", StaleStatement)
	if err == nil || !strings.Contains(err.Error(), "unnamed prepared statement does not exist") {
		t.Error(err)
	}
}

// A column changes its type under statements that four connections have prepared:
// each is cleaned when it is met, and no caller sees it.
func testTypeChanges(t *testing.T, s *pgtest.Server) {
	s.Exec(t, "drop table if exists shelf; create table shelf (a int); insert into shelf values (1)")
	for _, c := range []struct {
		name, url string
		conflicts int
	}{
		{"direct", s.URL(pgtest.Conn{}), 4},
		{"session pooler", pgtest.PgBouncer(t, s, pgtest.Pool{Mode: "session"}).URL(pgtest.Conn{}), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			const sql = "select * from shelf where a::int = $1"
			pool, log := plainPool(t, c.url, 4)
			onAll(t, pool, func(conn *pgxpool.Conn) { mustExec(t, conn, sql, 1) })
			s.Exec(t, "alter table shelf alter a type int; alter table shelf alter a type text")
			defer s.Exec(t, "alter table shelf alter a type int using a::int")
			var seen []error
			for range 4 {
				got, err := RetryValue(testContext(t), pool, func(ctx context.Context, conn *pgxpool.Conn) (string, error) {
					v, err := query(ctx, conn, sql, 1)
					if err != nil {
						seen = append(seen, err)
					}
					return v, err
				}, (&waits{}).option())
				if got != "1" || err != nil {
					t.Fatalf("%q, %v", got, err)
				}
				defer acquire(t, pool).Release() // the next one meets another
			}
			for _, err := range seen {
				wantState(t, err, "0A000", StaleStatement)
			}
			if len(seen) != c.conflicts || log.count("Database prepared statement conflict") != len(seen) {
				t.Errorf("%d conflicts; log:\n%s", len(seen), log)
			}
		})
	}
}

// The same through PgBouncer 1.18 in transaction mode: with pgx's own mode the
// statement on the server stays stale for everybody; with the mode that Open picks
// there is no such statement.
func testTypeChangesPooled(t *testing.T, s *pgtest.Server) {
	const sql = "select * from shelf where a::int = $1"
	s.Exec(t, "drop table if exists shelf; create table shelf (a int); insert into shelf values (1)")
	b := pgtest.PgBouncer(t, s, pgtest.Pool{Size: 1})
	plain, _ := plainPool(t, b.URL(pgtest.Conn{}), 1)
	picked, _ := openAt(t, b.URL(pgtest.Conn{}))
	mustExec(t, plain, sql, 1)
	mustExec(t, picked, sql, 1)
	s.Exec(t, "alter table shelf alter a type text")
	_, err := query(testContext(t), plain, sql, 1)
	wantState(t, err, "0A000", StaleStatement)
	if got, err := query(testContext(t), picked, sql, 1); got != "1" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// A session of the server's own that has a statement of the same name, made behind
// pgx's back: it is cleaned and used again, not replaced.
func testExists(t *testing.T, s *pgtest.Server) {
	pool, _ := plainPool(t, s.URL(pgtest.Conn{}), 1)
	var pids []string
	var states []string
	_, err := RetryValue(testContext(t), pool, func(ctx context.Context, conn *pgxpool.Conn) (string, error) {
		pids = append(pids, pidOf(conn))
		if len(pids) == 1 { // pgx forgets, the server does not
			mustExec(t, conn, "select 'x' || $1::text", "1")
			var taken string
			err := conn.QueryRow(ctx, "select name from pg_prepared_statements where statement like '%''x''%'", pgx.QueryExecModeSimpleProtocol).Scan(&taken)
			if err != nil {
				return "", err
			}
			_, err = conn.Conn().PgConn().Prepare(ctx, taken, "select 1", nil)
			states = append(states, sqlState(err))
			return "", err
		}
		return query(ctx, conn, "select 'x' || $1::text", "2")
	}, (&waits{}).option())
	if err != nil || len(states) != 1 || states[0] != "42P05" || len(pids) != 2 || pids[0] != pids[1] {
		t.Errorf("%v, states %v, sessions %v", err, states, pids)
	}
}

// The prepared statement is gone from the server, pgx does not know.
func testMissing(t *testing.T, s *pgtest.Server) {
	pool, log := plainPool(t, s.URL(pgtest.Conn{}), 1)
	mustExec(t, pool, answer, "1")
	mustExec(t, pool, "deallocate all", pgx.QueryExecModeSimpleProtocol)
	got := ""
	err := RetryTx(testContext(t), pool, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) (err error) {
		got, err = query(ctx, tx, answer, "2")
		return err
	}, (&waits{}).option())
	if got != "answer 2" || err != nil || log.count("Database prepared statement conflict") != 1 || !strings.Contains(log.String(), "sqlstate=26000") {
		t.Errorf("%q, %v, log:\n%s", got, err, log)
	}
}

// onAll runs f on every connection that the pool may have.
func onAll(t *testing.T, pool *pgxpool.Pool, f func(*pgxpool.Conn)) {
	t.Helper()
	var conns []*pgxpool.Conn
	for range pool.Config().MaxConns {
		conns = append(conns, acquire(t, pool))
	}
	for _, conn := range conns {
		f(conn)
		conn.Release()
	}
}
