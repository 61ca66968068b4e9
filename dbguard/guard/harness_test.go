package guard

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devguard/devguard/dbguard/dsn"
	"github.com/devguard/devguard/dbguard/pgtest"
	"github.com/devguard/devguard/supervisor/logline/logtest"
)

const (
	runA     = "0123456789abcdef0123456789abcdef"
	runB     = "ffffffffffffffffffffffffffffffff"
	password = "s3cr3t-Passw0rd"
)

// label returns the application name of a generation's sessions.
func label(run string, gen int) string { return labels{run: run}.of(gen) }

// clearPG takes the PGHOST family out of this process, which pgconn reads.
func clearPG(t *testing.T) {
	t.Helper()
	for name := range dsn.Env(os.Environ()) {
		if strings.HasPrefix(name, "PG") {
			t.Setenv(name, "")
			os.Unsetenv(name)
		}
	}
}

// record is a log that a test can read while it is written.
type record struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.Write(p)
}

func (r *record) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.String()
}

// lines returns the lines with a message.
func (r *record) lines(t *testing.T, msg string) []map[string]any {
	t.Helper()
	return r.saying(t, func(said string) bool { return said == msg })
}

// saying returns the lines whose message is chosen.
func (r *record) saying(t *testing.T, chosen func(msg string) bool) []map[string]any {
	t.Helper()
	var found []map[string]any
	for line := range strings.Lines(r.text()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("not JSON: %s", line)
		}
		if msg, _ := m["msg"].(string); chosen(msg) {
			found = append(found, m)
		}
	}
	return found
}

// last returns the last line with a message.
func (r *record) last(t *testing.T, msg string) map[string]any {
	t.Helper()
	all := r.lines(t, msg)
	if len(all) == 0 {
		t.Fatalf("no %q in the log:\n%s", msg, r.text())
	}
	return all[len(all)-1]
}

// patience is how long a test waits for what must happen, and starved what a busy machine may add to
// what takes no time.
const (
	patience = time.Minute
	starved  = 5 * time.Second
)

// asTested returns databases in mode drain where nothing else is asked for: most of
// these tests are about that. Those of the proxy ask for auto. A drain has all the
// time that a busy machine needs, but where the test is about that time.
func asTested(list []Database) []Database {
	if len(list) == 0 {
		list = []Database{{}}
	}
	list = slices.Clone(list)
	for i := range list {
		list[i].Mode = cmp.Or(list[i].Mode, string(modeDrain))
		list[i].DrainTimeout = cmp.Or(list[i].DrainTimeout, patience)
	}
	return list
}

// open opens a Guard that logs to the record, and checks when the test ends
// that no password was logged.
func open(t *testing.T, o Options) (*Guard, *record) {
	t.Helper()
	clearPG(t)
	r := &record{}
	if o.RunID == "" {
		o.RunID = runA
	}
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	o.Databases = asTested(o.Databases)
	o.Log = slog.New(logtest.Handler(t, slog.NewJSONHandler(r, &slog.HandlerOptions{Level: slog.LevelDebug})))
	g, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := g.Close(ctx); err != nil {
			t.Error(err)
		}
		if strings.Contains(r.text(), password) {
			t.Errorf("the log has the password:\n%s", r.text())
		}
	})
	return g, r
}

// appEnv is AppEnv that must succeed, with the probes of what it found done.
func appEnv(t *testing.T, g *Guard, gen int, base ...string) []string {
	t.Helper()
	env, err := g.AppEnv(t.Context(), gen, base)
	if err != nil {
		t.Fatal(err)
	}
	settle(t, g)
	return env
}

// settle waits until every probe under way is done.
func settle(t *testing.T, g *Guard) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for _, u := range g.upstreams.all() {
		u.prober.await(ctx)
	}
	if ctx.Err() != nil {
		t.Fatal("the probe does not end")
	}
}

// server starts a Postgres with the role "dev" and its database "app", with a
// table of rows to lock.
func server(t *testing.T, options ...pgtest.Option) (s *pgtest.Server, dev pgtest.Conn) {
	t.Helper()
	s = pgtest.Start(t, options...)
	s.CreateRole(t, "dev", password, "")
	s.CreateDB(t, "app", "dev")
	dev = pgtest.Conn{User: "dev", Database: "app"}
	owner := connection(t, s.URL(dev))
	run(t, owner, "create table things (id int primary key, n int); insert into things select i, 0 from generate_series(1, 20) i")
	closeConn(t.Context(), owner)
	return s, dev
}

// connection opens a session of the test's own.
func connection(t *testing.T, url string) *pgconn.PgConn {
	t.Helper()
	conn, err := pgconn.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeConn(context.Background(), conn) })
	return conn
}

func run(t *testing.T, conn *pgconn.PgConn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql).ReadAll(); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// number returns a number of a log line, -1 when it is absent.
func number(line map[string]any, key string) int {
	if n, ok := line[key].(float64); ok {
		return int(n)
	}
	return -1
}

// get returns the value of a variable.
func get(env []string, name string) (string, bool) {
	v, ok := dsn.Env(env)[name]
	return v, ok
}
