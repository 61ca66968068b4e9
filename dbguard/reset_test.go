package dbguard

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/devguard/devguard/dbguard/pgtest"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

func TestReset(t *testing.T) {
	s := pgtest.Start(t)
	s.CreateRole(t, "eight", "secret", "connection limit 10")
	for _, c := range []struct{ name, url string }{
		{"direct", s.URL(pgtest.Conn{User: "eight"})},
		{"transaction pooler", pgtest.PgBouncer(t, s, pgtest.Pool{}).URL(pgtest.Conn{User: "eight"})},
	} {
		t.Run(c.name, func(t *testing.T) { testResetUnderLoad(t, c.url) })
	}
	t.Run("replaces", func(t *testing.T) { testResetReplaces(t, s) })
	t.Run("down", func(t *testing.T) { testResetDown(t, s) })
}

// Eight workers query without any Retry while the pool is reset again and again: not
// one query fails, and all connections are others afterwards.
func testResetUnderLoad(t *testing.T, url string) {
	pool, log := openAt(t, url, WithMaxConns(8))
	var wg sync.WaitGroup
	var queries atomic.Int64
	stop := make(chan struct{})
	for range 8 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if got, err := query(testContext(t), pool, answer, "1"); got != "answer 1" || err != nil {
					t.Errorf("%q, %v", got, err)
					return
				}
				queries.Add(1)
			}
		})
	}
	const resets = 8
	for range resets {
		if err := Reset(testContext(t), pool); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	wg.Wait()
	t.Logf("%d queries during %d resets, %d connections made", queries.Load(), resets, pool.Stat().NewConnsCount())
	if pool.Stat().NewConnsCount() < resets || log.count("Database connections reset successfully") != resets {
		t.Errorf("%d connections made; log:\n%.2000s", pool.Stat().NewConnsCount(), log)
	}
}

func testResetReplaces(t *testing.T, s *pgtest.Server) {
	pool, log := openAt(t, s.URL(pgtest.Conn{Params: "application_name=replaced"}), WithMaxConns(3))
	inUse, idle := acquire(t, pool), acquire(t, pool)
	old := []string{pidOf(inUse), pidOf(idle)}
	idle.Release()
	before := Stats().Resets
	if err := Reset(testContext(t), pool); err != nil {
		t.Fatal(err)
	}
	mustExec(t, inUse, "select 1") // what is in flight goes on
	if !strings.Contains(log.String(), `connections reset successfully" connections=1 in_use=1`) || Stats().Resets != before+1 {
		t.Errorf("log:\n%s", log)
	}
	inUse.Release()
	until(t, s, "0", "select count(*) from pg_stat_activity where pid in ("+strings.Join(old, ",")+")")
}

func testResetDown(t *testing.T, s *pgtest.Server) {
	pool, log := openAt(t, s.URL(pgtest.Conn{}))
	s.Stop(t)
	if err := Reset(testContext(t), pool); err == nil || !strings.Contains(err.Error(), "does not answer") || strings.Contains(err.Error(), pgtest.Password) {
		t.Error(err)
	}
	if log.count("Database connections reset successfully") != 0 {
		t.Errorf("log:\n%s", log)
	}
	s.StartAgain(t)
	mustExec(t, pool, "select 1")
}

const prepared = "select count(*)::text from pg_prepared_statements"

// statements returns what the server of conn has prepared.
func statements(t *testing.T, conn *pgxpool.Conn) string {
	t.Helper()
	got, err := query(testContext(t), conn, prepared, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestClearPreparedStatements(t *testing.T) {
	s := pgtest.Start(t)
	pooled := pgtest.Start(t, pgtest.Set("log_statement", "all"))
	t.Run("direct", func(t *testing.T) { testClear(t, s) })
	t.Run("in use", func(t *testing.T) { testClearInUse(t, s) })
	t.Run("under load", func(t *testing.T) { testClearUnderLoad(t, s) })
	for _, mode := range []string{"session", "transaction"} {
		t.Run(mode, func(t *testing.T) {
			testClearPooled(t, pooled, pgtest.PgBouncer(t, pooled, pgtest.Pool{Mode: mode, Size: 2}))
		})
	}
}

// The connections stay, the statements go, on both sides.
func testClear(t *testing.T, s *pgtest.Server) {
	pool, log := openAt(t, s.URL(pgtest.Conn{}), WithMaxConns(3))
	pids := map[string]bool{}
	onAll(t, pool, func(conn *pgxpool.Conn) {
		pids[pidOf(conn)] = true
		mustExec(t, conn, answer, "1")
		if _, err := conn.Conn().Prepare(testContext(t), "mine", "select 1"); err != nil {
			t.Error(err)
		}
	})
	n, err := ClearPreparedStatements(testContext(t), pool)
	if n != 6 || err != nil {
		t.Errorf("%d cleared, %v", n, err)
	}
	onAll(t, pool, func(conn *pgxpool.Conn) {
		if got := statements(t, conn); got != "0" || !pids[pidOf(conn)] {
			t.Errorf("%s statements on session %s of %v", got, pidOf(conn), pids)
		}
		mustExec(t, conn, answer, "2")
		if got := statements(t, conn); got != "1" {
			t.Errorf("%s statements, want 1: the mode is not the one that prepares", got)
		}
	})
	if !strings.Contains(log.String(), "statements=6 connections=3 recycled=0") {
		t.Errorf("log:\n%s", log)
	}
}

// A connection in use is replaced when it comes back.
func testClearInUse(t *testing.T, s *pgtest.Server) {
	pool, _ := openAt(t, s.URL(pgtest.Conn{}), WithMaxConns(2))
	onAll(t, pool, func(conn *pgxpool.Conn) { mustExec(t, conn, answer, "1") })
	busy := acquire(t, pool)
	old := pidOf(busy)
	if n, err := ClearPreparedStatements(testContext(t), pool); n != 1 || err != nil {
		t.Errorf("%d cleared, %v", n, err)
	}
	mustExec(t, busy, answer, "2")
	busy.Release()
	onAll(t, pool, func(conn *pgxpool.Conn) {
		if got := statements(t, conn); got != "0" || pidOf(conn) == old {
			t.Errorf("%s statements on session %s, was %s", got, pidOf(conn), old)
		}
	})
}

func testClearUnderLoad(t *testing.T, s *pgtest.Server) {
	pool, _ := openAt(t, s.URL(pgtest.Conn{}), WithMaxConns(4))
	var wg sync.WaitGroup
	ctx, stop := context.WithCancel(testContext(t))
	for range 8 {
		wg.Go(func() {
			for ctx.Err() == nil {
				if _, err := query(testContext(t), pool, answer, "1"); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 20 {
		if _, err := ClearPreparedStatements(testContext(t), pool); err != nil {
			t.Error(err)
		}
	}
	stop()
	wg.Wait()
}

// Behind a pooler the statements on its servers may be anybody's: they stay, and the
// connections are other ones.
func testClearPooled(t *testing.T, s *pgtest.Server, b *pgtest.Bouncer) {
	other, _ := plainPool(t, b.URL(pgtest.Conn{}), 1)
	mustExec(t, other, answer, "1")
	mine, _ := plainPool(t, b.URL(pgtest.Conn{}), 1)
	mustExec(t, mine, "select $1::int", 1)
	conn := acquire(t, mine)
	old := pidOf(conn)
	conn.Release()
	if n, err := ClearPreparedStatements(testContext(t), mine); n != 0 || err != nil {
		t.Errorf("%d cleared, %v", n, err)
	}
	conn = acquire(t, mine)
	if pidOf(conn) == old {
		t.Error("the connection was not replaced")
	}
	conn.Release()
	if strings.Contains(strings.ToLower(s.Log()), "deallocate") {
		t.Errorf("something was deallocated:\n%s", s.Log())
	}
	if got, err := query(testContext(t), other, answer, "3"); got != "answer 3" || err != nil {
		t.Errorf("another client's statement: %q, %v", got, err)
	}
}
