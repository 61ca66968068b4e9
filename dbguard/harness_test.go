package dbguard

import (
	"bytes"
	"context"
	"log/slog"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/devguard/devguard/dbguard/pgtest"
	"github.com/devguard/devguard/supervisor/logline/logtest"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// logged is a log that a test reads.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logged) count(msg string) int { return strings.Count(l.String(), `msg="`+msg+`"`) }

func (l *logged) logger(t testing.TB) *slog.Logger {
	return slog.New(logtest.Handler(t, slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug})))
}

// env is an environment for WithEnv.
func env(pairs ...string) Option {
	return WithEnv(func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	})
}

// openAt opens a pool as an app would, and closes it when the test ends.
func openAt(t testing.TB, url string, opts ...Option) (*pgxpool.Pool, *logged) {
	t.Helper()
	log := &logged{}
	pool, err := Open(context.Background(), append([]Option{env("DATABASE_URL", url), WithLogger(log.logger(t))}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	closeAfter(t, pool)
	return pool, log
}

// plainPool is a pool as pgx makes it: statements are prepared by name.
func plainPool(t testing.TB, url string, maxConns int32) (*pgxpool.Pool, *logged) {
	t.Helper()
	log := &logged{}
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	config.MaxConns = maxConns
	config.ConnConfig.Tracer = &tracer{log: log.logger(t)}
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	closeAfter(t, pool)
	return pool, log
}

// checked holds the tests that noGoroutines will look after.
var checked sync.Map

// closeAfter closes a pool when the test ends, and sees that nothing of any is left:
// what a test cleans up is done in reverse.
func closeAfter(t testing.TB, pool *pgxpool.Pool) {
	if _, again := checked.LoadOrStore(t.Name(), true); !again {
		t.Cleanup(func() {
			checked.Delete(t.Name())
			noGoroutines(t)
		})
	}
	t.Cleanup(pool.Close)
}

func noGoroutines(t testing.TB) {
	deadline := time.Now().Add(patience)
	buf := make([]byte, 1<<20)
	for {
		all := string(buf[:runtime.Stack(buf, true)])
		if !strings.Contains(all, "pgxpool.(*Pool)") && !strings.Contains(all, "pgconn.(*PgConn).asyncClose") {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("goroutines are left:\n%.3000s", all)
			return
		}
		<-time.After(time.Millisecond)
	}
}

// until polls the server until sql answers want.
func until(t testing.TB, s *pgtest.Server, want, sql string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		if got := s.Query(t, sql)[0][0]; got == want {
			return
		} else if time.Now().After(deadline) {
			t.Fatalf("%s is %s, want %s", sql, got, want)
		}
		<-time.After(2 * time.Millisecond)
	}
}

// waits records the pauses of a Retry instead of making them, and runs between, when
// there is one, in each.
type waits struct {
	mu      sync.Mutex
	limits  []time.Duration
	between func()
}

func (w *waits) option() RetryOption {
	return func(r *retrying) {
		r.clock = clock{
			below: func(d time.Duration) time.Duration {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.limits = append(w.limits, d)
				return d
			},
			wait: func(ctx context.Context, _ time.Duration) error {
				if w.between != nil {
					w.between()
				}
				return ctx.Err()
			},
		}
	}
}

func (w *waits) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.limits)
}

// query runs one statement with an argument, so that pgx prepares it.
func query(ctx context.Context, conn interface {
	QueryRow(context.Context, string, ...any) pgx.Row
}, sql string, args ...any) (value string, err error) {
	err = conn.QueryRow(ctx, sql, args...).Scan(&value)
	return value, err
}

func mustExec(t testing.TB, conn interface {
	Query(context.Context, string, ...any) (pgx.Rows, error)
}, sql string, args ...any) {
	t.Helper()
	rows, err := conn.Query(testContext(t), sql, args...)
	if err == nil {
		rows.Close()
		err = rows.Err()
	}
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func acquire(t testing.TB, pool *pgxpool.Pool) *pgxpool.Conn {
	t.Helper()
	conn, err := pool.Acquire(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func pidOf(conn *pgxpool.Conn) string {
	return strconv.FormatUint(uint64(conn.Conn().PgConn().PID()), 10)
}
