package guard

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devguard/devguard/dbguard/pgtest"
)

// auto is a database that devguard stands in front of.
func auto(d Database) []Database {
	d.Mode = string(modeAuto)
	return []Database{d}
}

// through returns the URL that generation gen of the app is given in place of url.
func through(t *testing.T, g *Guard, gen int, url string) string {
	t.Helper()
	env, err := g.AppEnv(t.Context(), gen, []string{"DATABASE_URL=" + url})
	if err != nil {
		t.Fatal(err)
	}
	led, _ := get(env, "DATABASE_URL")
	if led == url || strings.Contains(led, password) {
		t.Fatal("the URL is not led to devguard")
	}
	return led
}

// value returns the first column of a query's only row.
func value(t *testing.T, conn *pgconn.PgConn, sql string) string {
	t.Helper()
	results, err := conn.Exec(t.Context(), sql).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	rows := results[len(results)-1].Rows
	if len(rows) != 1 {
		t.Fatalf("%s: %d rows", sql, len(rows))
	}
	return string(rows[0][0])
}

// kill closes a client's connection as the end of its process does.
func kill(conn *pgconn.PgConn) { _ = conn.Conn().Close() }

// sessionsOf counts the server's sessions of the role dev, but for the one that
// Drain itself looked with, which it closes in the background.
func sessionsOf(t *testing.T, s *pgtest.Server) string {
	t.Helper()
	return s.Query(t, "select count(*) from pg_stat_activity where usename = 'dev' and application_name <> 'devguard'")[0][0]
}

// TestNothingIsLeftOfAGeneration: whatever a session held, it is gone when Drain
// returns, and its count is in the line.
func TestNothingIsLeftOfAGeneration(t *testing.T) {
	s, dev := server(t)
	g, log := open(t, Options{Databases: auto(Database{})})
	colleague := connection(t, s.URL(dev))
	run(t, colleague, "begin; update things set n = 1 where id = 20")
	for gen, c := range []struct {
		name, sql string
		busy      bool
		cancelled int
		rolled    int
	}{
		{"idle", "select 1", false, 0, 0},
		{"a temporary table", "create temp table x (i int)", false, 0, 0},
		{"an advisory lock", "select pg_advisory_lock(4711)", false, 0, 0},
		{"LISTEN", "listen news", false, 0, 0},
		{"SET", "set search_path = nowhere", false, 0, 0},
		{"an open transaction", "begin; update things set n = n + 1 where id = 1", false, 0, 1},
		{"an aborted transaction", "begin; select 1/0", false, 0, 1},
		{"SQL PREPARE", "prepare p as select 1", false, 0, 0},
		{"a query", "begin; update things set n = n + 1 where id = 2; select pg_sleep(600)", true, 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			gen++
			conn := connection(t, through(t, g, gen, s.URL(dev)))
			if _, err := conn.Prepare(t.Context(), "mine", "select 1", nil); err != nil {
				t.Fatal(err)
			}
			results := conn.Exec(t.Context(), c.sql)
			if !c.busy {
				_, _ = results.ReadAll()
			} else {
				awaitState(t, s, "active")
			}
			g.RecordSockets(gen, nil)
			kill(conn)
			g.Drain(t.Context(), gen)
			if n := sessionsOf(t, s); n != "1" {
				t.Errorf("%s sessions of the role, one is a colleague's", n)
			}
			if n := s.Query(t, "select count(*) from pg_locks where locktype = 'advisory'")[0][0]; n != "0" {
				t.Errorf("%s advisory locks are left", n)
			}
			line := log.last(t, "drained")
			for key, want := range map[string]int{"sessions": 1, "cancelled": c.cancelled, "rolled_back": c.rolled, "statements": 1, "left": 0, "gen": gen} {
				if number(line, key) != want {
					t.Errorf("%s is %v, want %d: %v", key, line[key], want, line)
				}
			}
		})
	}
	run(t, colleague, "commit")
	line := log.last(t, "database")
	if line["mode"] != "session" || line["kind"] != "postgres" {
		t.Errorf("%v", line)
	}
}

// awaitState waits until a session of dev runs pg_sleep.
func awaitState(t *testing.T, s *pgtest.Server, state string) {
	t.Helper()
	until(t, func() bool {
		return s.Query(t, fmt.Sprintf("select count(*) from pg_stat_activity where usename = 'dev' and state = '%s' and query like '%%sleep%%'", state))[0][0] == "1"
	})
}

// until polls for a condition.
func until(t *testing.T, f func() bool) {
	t.Helper()
	untilWithin(t, 10*time.Second, f)
}

func untilWithin(t *testing.T, limit time.Duration, f func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for !f() {
		if time.Now().After(deadline) {
			t.Fatal("it does not come to that")
		}
		sleep(t.Context(), 5*time.Millisecond)
	}
}

// TestSparesAreUsed: the first session of a generation whose predecessor had one
// is dialled before it asks.
func TestSparesAreUsed(t *testing.T) {
	s, dev := server(t)
	g, _ := open(t, Options{Databases: auto(Database{})})
	first := connection(t, through(t, g, 1, s.URL(dev)))
	run(t, first, "select 1")
	through(t, g, 2, s.URL(dev)) // the build has succeeded
	until(t, func() bool { return g.Status().Upstreams[0].Spares == 1 })
	spare := s.Query(t, "select max(pid) from pg_stat_activity where usename = 'dev' and application_name <> 'devguard'")[0][0]
	g.RecordSockets(1, nil)
	kill(first)
	g.Drain(t.Context(), 1)
	second := connection(t, through(t, g, 2, s.URL(dev))) // it starts
	if pid := value(t, second, "select pg_backend_pid()"); pid != spare {
		t.Errorf("the session is %s, dialled ahead was %s", pid, spare)
	}
	if name := value(t, second, "show application_name"); name != label(runA, 2) {
		t.Errorf("its name is %q", name)
	}
	if n := g.Status().Upstreams[0].Spares; n != 0 {
		t.Errorf("%d spares are left", n)
	}
	kill(second)
	g.Drain(t.Context(), 2)
	if n := sessionsOf(t, s); n != "0" {
		t.Errorf("%s sessions are left", n)
	}
}

// TestUnusedSparesEnd: what a generation has left of them is gone when it is
// drained, although the next one's are there already, which stay.
func TestUnusedSparesEnd(t *testing.T) {
	s, dev := server(t)
	g, log := open(t, Options{Databases: auto(Database{})})
	led := through(t, g, 1, s.URL(dev))
	first, more := connection(t, led), connection(t, led)
	run(t, first, "select 1")
	run(t, more, "select 1")
	led = through(t, g, 2, s.URL(dev))
	until(t, func() bool { return g.Status().Upstreams[0].Spares == 2 })
	kill(first)
	kill(more)
	g.Drain(t.Context(), 1)
	second := connection(t, led)
	run(t, second, "select 1") // uses one of the two
	through(t, g, 3, s.URL(dev))
	until(t, func() bool { return g.Status().Upstreams[0].Spares == 2 })
	g.RecordSockets(2, nil)
	kill(second)
	g.Drain(t.Context(), 2)
	if names := s.Query(t, "select application_name from pg_stat_activity where usename = 'dev' and application_name <> 'devguard'"); len(names) != 1 || names[0][0] != label(runA, 3) {
		t.Errorf("after the drain there are %v", names)
	}
	if lines := log.lines(t, "bypass"); len(lines) > 0 {
		t.Errorf("%v", lines)
	}
}

// TestOldPasswordIsRefused once its generation is drained.
func TestOldPasswordIsRefused(t *testing.T) {
	s, dev := server(t)
	g, _ := open(t, Options{Databases: auto(Database{})})
	url := through(t, g, 1, s.URL(dev))
	kill(connection(t, url))
	g.Drain(t.Context(), 1)
	_, err := pgconn.Connect(t.Context(), url)
	if err == nil || !strings.Contains(err.Error(), "28P01") {
		t.Errorf("%v", err)
	}
}

// TestServerThatIsDown: the app's connection is reset, as near to the server's own refusal as a
// listener comes, the log says why, and the app is served once the server is back.
func TestServerThatIsDown(t *testing.T) {
	s, dev := server(t)
	url := s.URL(dev)
	s.Stop(t)
	g, log := open(t, Options{Databases: auto(Database{})})
	led := through(t, g, 1, url)
	_, err := pgconn.Connect(t.Context(), led)
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%v", err)
	}
	if line := log.last(t, "database"); !strings.Contains(fmt.Sprint(line["reason"]), "nothing listens there") {
		t.Errorf("%v", line)
	}
	s.StartAgain(t)
	conn := connection(t, led)
	run(t, conn, "select 1")
	if line := log.last(t, "database"); line["mode"] != "session" || line["kind"] != "postgres" {
		t.Errorf("%v", line)
	}
	s.Restart(t)
	if _, err := conn.Exec(t.Context(), "select 1").ReadAll(); err == nil || !strings.Contains(err.Error(), "57P01") {
		t.Errorf("after a restart of the server: %v", err)
	}
	run(t, connection(t, led), "select 1")
}

// TestServersOwnErrors reach the app as they are.
func TestServersOwnErrors(t *testing.T) {
	s, dev := server(t)
	g, _ := open(t, Options{Databases: auto(Database{})})
	led := through(t, g, 1, s.URL(dev))
	for name, c := range map[string]struct{ from, to, code string }{
		"no such database": {"/app", "/nowhere", "3D000"},
		"another user":     {"//dev:", "//postgres:", "28000"},
		"bad parameter":    {"sslmode=disable", "sslmode=disable&nonsense=1", "42704"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := pgconn.Connect(t.Context(), strings.Replace(led, c.from, c.to, 1))
			if err == nil || !strings.Contains(err.Error(), c.code) {
				t.Errorf("%v, want %s", err, c.code)
			}
		})
	}
}

// TestPoolerThatIsDown: what it was is still what is done for its clients, and is said.
func TestPoolerThatIsDown(t *testing.T) {
	s, dev := server(t)
	b := pgtest.PgBouncer(t, s, pgtest.Pool{Mode: "transaction"})
	g, log := open(t, Options{Databases: auto(Database{})})
	led := through(t, g, 1, b.URL(dev))
	conn := connection(t, led)
	run(t, conn, "select 1")
	b.Stop(t)
	if _, err := conn.Exec(t.Context(), "select 1").ReadAll(); err == nil {
		t.Error("a session outlives its pooler")
	}
	var line map[string]any
	until(t, func() bool { // a client may come before the end of the session above is understood
		if _, err := pgconn.Connect(t.Context(), led); err == nil {
			t.Error("a client is served")
		}
		line = log.last(t, "database")
		return line["level"] == "WARN"
	})
	if line["level"] != "WARN" || line["mode"] != "transaction" || line["kind"] != "transaction-pooler" || !strings.Contains(fmt.Sprint(line["reason"]), "nothing listens there") {
		t.Errorf("%v", line)
	}
	b.StartAgain(t)
	run(t, connection(t, led), "select 1")
	if line := log.last(t, "database"); line["level"] != "INFO" || line["mode"] != "transaction" {
		t.Errorf("%v", line)
	}
}

// TestPause: transactions end, then everybody waits until resume.
func TestPause(t *testing.T) {
	s, dev := server(t)
	g, _ := open(t, Options{Databases: auto(Database{DrainTimeout: 300 * time.Millisecond})})
	led := through(t, g, 1, s.URL(dev))
	idle, open := connection(t, led), connection(t, led)
	run(t, open, "begin; update things set n = 5 where id = 3")
	resume := g.Pause(t.Context(), "migrate", nil)
	s.Exec(t, `set lock_timeout = '1s'; select 1`)
	owner := connection(t, s.URL(dev))
	run(t, owner, "set lock_timeout = '2s'; alter table things alter n type bigint")
	if _, err := open.Exec(t.Context(), "select 1").ReadAll(); err == nil || !strings.Contains(err.Error(), "57P01") {
		t.Errorf("the transaction in the way: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := pgconn.Connect(ctx, led); err == nil {
		t.Error("a client is served during the migration")
	}
	answered := make(chan error, 1)
	go func() {
		_, err := idle.Exec(context.WithoutCancel(t.Context()), "select 1").ReadAll()
		answered <- err
	}()
	select {
	case <-answered:
		t.Error("a query is answered during the migration")
	case <-time.After(100 * time.Millisecond):
	}
	resume(true)
	if err := <-answered; err != nil {
		t.Error(err)
	}
	run(t, connection(t, led), "select 1")
}

// TestConflictIsLoggedOnce, with the statement but not its literals.
func TestConflictIsLoggedOnce(t *testing.T) {
	s, dev := server(t)
	g, log := open(t, Options{Databases: auto(Database{})})
	conn := connection(t, through(t, g, 1, s.URL(dev)))
	for range 3 {
		_, _ = conn.Exec(t.Context(), "execute nothing('"+password+"')").ReadAll()
	}
	until(t, func() bool { return g.Status().Upstreams[0].Generations[0].Conflicts["26000"] == 3 })
	if lines := log.lines(t, "conflict"); len(lines) != 1 || lines[0]["sqlstate"] != "26000" || lines[0]["fingerprint"] == "" {
		t.Errorf("%v", lines)
	}
}

// TestAppIsNeverWorseOff: pgconn refuses to log in where libpq does not mind. The
// app is restarted once, past us.
func TestAppIsNeverWorseOff(t *testing.T) {
	s, dev := server(t)
	key := strings.Repeat("A", 43) + "="
	// Not by ALTER ROLE, which tries the empty password: at so many iterations that takes
	// 10 s, on a busy machine more than a statement may.
	s.Exec(t, "update pg_authid set rolpassword = 'SCRAM-SHA-256$10000001:c2FsdHNhbHRzYWx0c2FsdA==$"+key+":"+key+"' where rolname = 'dev'")
	replaced := make(chan struct{}, 9)
	g, log := open(t, Options{Databases: auto(Database{}), Replace: func() { replaced <- struct{}{} }})
	// What is found out before the first generation starts leads that one past us.
	locker := connection(t, s.URL(pgtest.Conn{}))
	run(t, locker, "begin; lock table pg_authid in access exclusive mode")
	led := through(t, g, 1, s.URL(dev))
	run(t, locker, "commit")
	for range 2 {
		if _, err := pgconn.Connect(t.Context(), led); err == nil || !strings.Contains(err.Error(), "08001") {
			t.Errorf("%v", err)
		}
	}
	env := appEnv(t, g, 2, "DATABASE_URL="+s.URL(dev))
	if own, _ := get(env, "DATABASE_URL"); own != s.URL(dev) {
		t.Errorf("the second generation is given %s", own)
	}
	if line := log.last(t, "database"); line["mode"] != "drain" || !strings.Contains(fmt.Sprint(line["reason"]), "iteration count") {
		t.Errorf("%v", line)
	}
	if len(replaced) != 1 {
		t.Errorf("%d restarts are asked for", len(replaced))
	}
}

// TestUnsupportedOption: a URL that we cannot keep to is left alone.
func TestUnsupportedOption(t *testing.T) {
	s, dev := server(t)
	g, log := open(t, Options{Databases: auto(Database{})})
	url := s.URL(dev) + "&sslcrl=/nowhere"
	env := appEnv(t, g, 1, "DATABASE_URL="+url)
	if own, _ := get(env, "DATABASE_URL"); own != url {
		t.Errorf("the app is given %s", own)
	}
	if line := log.last(t, "database"); line["mode"] != "drain" || !strings.Contains(fmt.Sprint(line["reason"]), "sslcrl") {
		t.Errorf("%v", line)
	}
}

// TestOtherVariableIsDrainedSilently: an upstream that is not ours to connect to is
// no news when the app has used it through us.
func TestOtherVariableIsDrainedSilently(t *testing.T) {
	s, dev := server(t)
	g, log := open(t, Options{Databases: auto(Database{})})
	env := appEnv(t, g, 1, "REPORTS="+s.URL(dev))
	url, _ := get(env, "REPORTS")
	conn := connection(t, url)
	run(t, conn, "select 1")
	before := len(log.lines(t, "database"))
	g.RecordSockets(1, nil)
	kill(conn)
	g.Drain(t.Context(), 1)
	if lines := log.lines(t, "database"); len(lines) != before {
		t.Errorf("%v", lines[before:])
	}
	if line := log.last(t, "drained"); number(line, "sessions") != 1 || number(line, "left") != 0 {
		t.Errorf("%v", line)
	}
}
