package dbguard

import (
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devguard/devguard/dbguard/pgtest"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

func TestRetry(t *testing.T) {
	s := pgtest.Start(t)
	s.Exec(t, "create table notes (id int)")
	for _, c := range []struct {
		name string
		test func(*testing.T, *pgtest.Server)
	}{
		{"a session is terminated", testTerminated},
		{"a role has no connection left", testTooMany},
		{"a server is down for a moment", testDown},
		{"a connection is lost under a statement", testLost},
		{"a statement after a lost one", testLostUnseen},
		{"a context ends", testCancelled},
		{"a context ends in a pause", testCancelledPause},
		{"conflicts are for transactions", testConflictOutside},
		{"what is not the database's", testForeign},
		{"a panic", testPanic},
		{"many at once", testMany},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, s) })
	}
}

func testTerminated(t *testing.T, s *pgtest.Server) {
	pool, log := plainPool(t, s.URL(pgtest.Conn{Params: "application_name=sleeper"}), 2)
	done := make(chan struct{})
	go func() {
		defer close(done)
		until(t, s, "1", "select count(*) from pg_stat_activity where application_name = 'sleeper' and state = 'active'")
		s.Exec(t, "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'sleeper'")
	}()
	var first error
	err := Retry(testContext(t), pool, func(ctx context.Context, conn *pgxpool.Conn) error {
		if first != nil {
			return nil
		}
		_, first = conn.Exec(ctx, "select pg_sleep($1)", 30)
		return first
	}, (&waits{}).option())
	<-done
	wantState(t, first, "57P01", Terminated)
	if err != nil || log.count("Database operation retried") != 1 || !strings.Contains(log.String(), `class=terminated attempt=1 sqlstate=57P01`) {
		t.Errorf("%v, log:\n%s", err, log)
	}
}

func testTooMany(t *testing.T, s *pgtest.Server) {
	s.CreateRole(t, "lonely", "secret", "connection limit 1")
	holder, _ := plainPool(t, s.URL(pgtest.Conn{User: "lonely"}), 1)
	mustExec(t, holder, "select 1")
	pool, _ := plainPool(t, s.URL(pgtest.Conn{User: "lonely"}), 1)
	_, err := pool.Acquire(testContext(t))
	wantState(t, err, "53300", TooManyConnections)
	w := &waits{between: func() {
		holder.Reset()
		until(t, s, "0", "select count(*) from pg_stat_activity where usename = 'lonely'")
	}}
	got, err := RetryValue(testContext(t), pool, func(ctx context.Context, conn *pgxpool.Conn) (string, error) {
		return query(ctx, conn, answer, "1")
	}, w.option())
	if got != "answer 1" || err != nil || w.count() != 1 {
		t.Errorf("%q, %v, %d pauses", got, err, w.count())
	}
}

func testDown(t *testing.T, s *pgtest.Server) {
	pool, _ := plainPool(t, s.URL(pgtest.Conn{}), 1)
	s.Stop(t)
	_, err := pool.Acquire(testContext(t))
	wantState(t, err, "", NotSent)
	w := &waits{between: func() { s.StartAgain(t) }}
	err = Retry(testContext(t), pool, func(ctx context.Context, conn *pgxpool.Conn) error {
		return conn.Ping(ctx)
	}, w.option())
	if err != nil || w.count() != 1 {
		t.Errorf("%v, %d pauses", err, w.count())
	}
}

// lossy is a pool whose open session breaks at the next byte from the server.
func lossy(t *testing.T, s *pgtest.Server) *pgxpool.Pool {
	relay := newFaulty(t, net.JoinHostPort(s.Host, strconv.Itoa(s.Port)))
	pool, _ := plainPool(t, relay.url(t, s.URL(pgtest.Conn{})), 1)
	if err := pool.Ping(testContext(t)); err != nil {
		t.Fatal(err)
	}
	relay.arm([]cut{{fromServer: true, after: 1}})
	return pool
}

// With arguments and without: pgx has two ways to lose an answer.
func testLost(t *testing.T, s *pgtest.Server) {
	for _, args := range [][]any{nil, {pgx.QueryExecModeExec, 1}} {
		pool, runs := lossy(t, s), 0
		err := Retry(testContext(t), pool, func(ctx context.Context, conn *pgxpool.Conn) error {
			runs++
			sql := "insert into notes values (1)"
			if args != nil {
				sql = "insert into notes values ($1)"
			}
			_, err := conn.Exec(ctx, sql, args...)
			return err
		}, (&waits{}).option())
		var e *RetryError
		if !errors.As(err, &e) || e.Class != ConnectionLost || e.Retried || runs != 1 || !strings.Contains(err.Error(), "it may have taken effect") {
			t.Errorf("%v after %d runs", err, runs)
		}
	}
	until(t, s, "2", "select count(*) from notes")
}

// fn does not look at what was lost, only at what could not be sent after it.
func testLostUnseen(t *testing.T, s *pgtest.Server) {
	pool, runs := lossy(t, s), 0
	err := Retry(testContext(t), pool, func(ctx context.Context, conn *pgxpool.Conn) error {
		runs++
		_, _ = conn.Exec(ctx, "insert into notes values (2)")
		_, err := conn.Exec(ctx, "insert into notes values ($1)", 3)
		return err
	}, (&waits{}).option())
	if Classify(err) != ConnectionLost || runs != 1 {
		t.Errorf("%v after %d runs", err, runs)
	}
}

func testCancelled(t *testing.T, s *pgtest.Server) {
	pool, _ := plainPool(t, s.URL(pgtest.Conn{}), 1)
	ctx, cancel := context.WithCancel(testContext(t))
	runs := 0
	err := Retry(ctx, pool, func(ctx context.Context, conn *pgxpool.Conn) error {
		runs++
		time.AfterFunc(10*time.Millisecond, cancel)
		_, err := conn.Exec(ctx, "select pg_sleep(30)")
		return err
	}, (&waits{}).option())
	if !errors.Is(err, context.Canceled) || Classify(err) != Cancelled || runs != 1 || !strings.HasPrefix(err.Error(), "not retried: a context has ended") {
		t.Errorf("%v after %d runs", err, runs)
	}
	if err := RetryTx(ctx, pool, pgx.TxOptions{}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
}

func testCancelledPause(t *testing.T, s *pgtest.Server) {
	pool, _ := plainPool(t, s.URL(pgtest.Conn{}), 1)
	ctx, cancel := context.WithCancel(testContext(t))
	err := Retry(ctx, pool, func(ctx context.Context, conn *pgxpool.Conn) error {
		_, err := conn.Exec(ctx, "deallocate nothing")
		return err
	}, (&waits{between: cancel}).option())
	if !errors.Is(err, context.Canceled) || sqlState(err) != "26000" || !strings.Contains(err.Error(), "while waiting after") {
		t.Error(err)
	}
}

func testConflictOutside(t *testing.T, s *pgtest.Server) {
	pool, _ := plainPool(t, s.URL(pgtest.Conn{}), 1)
	runs := 0
	err := Retry(testContext(t), pool, func(ctx context.Context, conn *pgxpool.Conn) error {
		runs++
		_, err := conn.Exec(ctx, "do $$ begin raise sqlstate '40001'; end $$")
		return err
	}, (&waits{}).option())
	if Classify(err) != Conflict || runs != 1 || !strings.Contains(err.Error(), "only a whole transaction") {
		t.Errorf("%v after %d runs", err, runs)
	}
	_, err = pool.Exec(testContext(t), "select 1/0")
	wantState(t, err, "22012", Permanent)
	_, err = pool.Exec(testContext(t), "do $$ begin raise sqlstate '0A000' using message = 'not this one'; end $$")
	wantState(t, err, "0A000", Permanent)
}

// An error of fn's own comes back as it is, and a network's error that is not this
// connection's is nobody's business here.
func testForeign(t *testing.T, s *pgtest.Server) {
	pool, _ := plainPool(t, s.URL(pgtest.Conn{}), 1)
	_, network := net.Dial("tcp", "127.0.0.1:1")
	for _, want := range []error{pgx.ErrNoRows, errors.New("fn's own"), network} {
		runs := 0
		again := func() { runs++ }
		err := Retry(testContext(t), pool, func(context.Context, *pgxpool.Conn) error { again(); return want }, (&waits{}).option())
		inside := RetryTx(testContext(t), pool, pgx.TxOptions{}, func(context.Context, pgx.Tx) error { again(); return want }, (&waits{}).option())
		if err != want || inside != want || runs != 2 {
			t.Errorf("%v, %v after %d runs; want %v", err, inside, runs, want)
		}
	}
}

func testPanic(t *testing.T, s *pgtest.Server) {
	pool, _ := plainPool(t, s.URL(pgtest.Conn{}), 1)
	for _, run := range []func(){
		func() {
			_ = Retry(testContext(t), pool, func(context.Context, *pgxpool.Conn) error { panic("fn's") })
		},
		func() {
			_ = RetryTx(testContext(t), pool, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
				_, _ = tx.Exec(ctx, "insert into notes values (99)")
				panic("fn's")
			})
		},
	} {
		func() {
			defer func() {
				if recover() != "fn's" {
					t.Error("the panic did not come through")
				}
			}()
			run()
		}()
	}
	mustExec(t, pool, "select 1") // the pool of one has its connection back
	until(t, s, "0", "select count(*) from notes where id = 99")
}

// Many callers share a pool of four while its sessions are terminated again and
// again: there is a line for each transaction, perhaps for one whose COMMIT was hit.
func testMany(t *testing.T, s *pgtest.Server) {
	s.Exec(t, "create table tally (worker int)")
	pool, _ := plainPool(t, s.URL(pgtest.Conn{Params: "application_name=many"}), 4)
	stop, stopped := make(chan struct{}), make(chan struct{})
	some := make(chan struct{}, 1) // were committed since the last time: however slow the machine is, it goes on
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-some:
				s.Exec(t, "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'many'")
			}
		}
	}()
	var wg sync.WaitGroup
	var committed, unknown atomic.Int64
	for worker := range 8 {
		wg.Go(func() {
			for range 40 {
				err := RetryTx(testContext(t), pool, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
					_, err := tx.Exec(ctx, "insert into tally values ($1)", worker)
					return err
				}, Attempts(20))
				switch {
				case err == nil:
					if committed.Add(1)%8 != 0 {
						continue
					}
					select {
					case some <- struct{}{}:
					default:
					}
				case Classify(err) == OutcomeUnknown:
					unknown.Add(1)
				default:
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	<-stopped
	got, err := strconv.ParseInt(s.Query(t, "select count(*) from tally")[0][0], 10, 64)
	if err != nil || got < committed.Load() || got > committed.Load()+unknown.Load() {
		t.Errorf("%d lines, %v; %d were reported, %d unknown", got, err, committed.Load(), unknown.Load())
	}
}

func TestDelays(t *testing.T) {
	var asked []time.Duration
	c := clock{below: func(d time.Duration) time.Duration { asked = append(asked, d); return d / 2 }}
	for n := range 8 {
		if got := c.delay(n + 1); got != asked[n]/2 {
			t.Errorf("attempt %d: %v", n+1, got)
		}
	}
	ms := time.Millisecond
	if want := []time.Duration{50 * ms, 100 * ms, 200 * ms, 400 * ms, 800 * ms, 2000 * ms, 2000 * ms, 2000 * ms}; !slices.Equal(asked, want) {
		t.Errorf("limits %v, want %v", asked, want)
	}
	for range 1000 {
		if d := below(50 * ms); d < 0 || d > 50*ms {
			t.Errorf("%v is outside of its bounds", d)
		}
	}
}

func TestWait(t *testing.T) {
	if err := wait(context.Background(), time.Millisecond); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := wait(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
