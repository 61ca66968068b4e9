package drivers

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devguard/devguard/dbguard/guard"
	"github.com/devguard/devguard/dbguard/pgtest"
)

// pool is PgBouncer's default_pool_size here: fewer than the app has workers.
const pool = 5

// TestRestarts: behind PgBouncer in transaction mode an app meets its own stale
// statements, with some drivers silently the rows of other queries. Through
// devguard it does not, however often it is restarted, and even on the sessions
// that it has spoilt before.
func TestRestarts(t *testing.T) {
	s := pgtest.Start(t)
	s.CreateRole(t, "dev", "s3cr3t", "")
	s.CreateDB(t, "app", "dev")
	dev := pgtest.Conn{User: "dev", Database: "app"}
	fill(t, s.URL(dev))
	for _, c := range []struct {
		program           program
		restarts, queries int  // without -campaign
		tracked           bool // PgBouncer's max_prepared_statements helps it
	}{
		{goProgram("pgx"), 20, 5000, true},
		{goProgram("pq"), 6, 2000, false},
		{goProgram("pq-prepare"), 6, 2000, true},
		{nodeProgram(), 6, 2000, true},
	} {
		if *campaign {
			c.restarts, c.queries = 20, 5000
		}
		t.Run(c.program.name, func(t *testing.T) {
			b := pgtest.PgBouncer(t, s, pgtest.Pool{Size: pool})
			restarted(t, b, dev, c.program, true, c.restarts, c.queries)
		})
		t.Run(c.program.name+", statements that follow", func(t *testing.T) {
			b := pgtest.PgBouncer(t, s, pgtest.Pool{Size: pool, Tracks: true})
			restarted(t, b, dev, c.program, !c.tracked, c.restarts, c.queries)
		})
	}
}

// restarted runs the control, then the program through devguard. No named statement of it reaches
// the pooler's sessions, and none of its connections is left.
func restarted(t *testing.T, b *pgtest.Bouncer, dev pgtest.Conn, p program, fails bool, restarts, queries int) {
	t.Helper()
	control(t, p, b.URL(dev), fails)
	before := statementsOf(t, b.URL(dev))
	works(t, p, b.URL(dev), restarts, queries)
	for _, name := range statementsOf(t, b.URL(dev)) {
		if !slices.Contains(before, name) {
			t.Errorf("the statement %q reached the pooler's sessions", name)
		}
	}
	until(t, "clients of the pooler are left", func() bool { return clientsOf(t, b, dev.User) == 0 })
}

func fill(t *testing.T, url string) {
	t.Helper()
	conn := connect(t, url)
	sql := fmt.Sprintf("create table users (id int primary key, name text not null); insert into users select i, 'user-' || i from generate_series(1, %d) i", users)
	if _, err := conn.Exec(t.Context(), sql).ReadAll(); err != nil {
		t.Fatal(err)
	}
}

// connect opens a session for the time of the test.
func connect(t *testing.T, url string) *pgconn.PgConn {
	t.Helper()
	conn, err := pgconn.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// environment is that of an app without devguard.
func environment(t *testing.T, p program, url string) []string {
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "DATABASE_URL=" + url}
	if p.env != nil {
		env = append(env, p.env(t)...)
	}
	return env
}

// control is the program without devguard: whether it gets errors or wrong rows.
func control(t *testing.T, p program, url string, fails bool) {
	t.Helper()
	bad := map[string]int{}
	for range 3 {
		a := p.start(t, environment(t, p, url), 400)
		a.await(t, "done")
		a.end(t, killed)
		for why, n := range a.bad {
			bad[why] += n
		}
	}
	if fails == (len(bad) == 0) {
		t.Errorf("without devguard: %v; fails: want %v", bad, fails)
	}
	t.Logf("without devguard, of 3 x 400 queries and some more: %v", bad)
}

// works restarts the program through one Guard, as the supervisor does.
func works(t *testing.T, p program, url string, restarts, queries int) {
	t.Helper()
	g, log := openGuard(t, "auto")
	begun := time.Now()
	for gen := 1; gen <= restarts; gen++ {
		env, err := g.AppEnv(t.Context(), gen, environment(t, p, url))
		if err != nil {
			t.Fatal(err)
		}
		generation(t, g, gen, p.start(t, env, queries))
	}
	t.Logf("through devguard: %d restarts of %d checked queries in %v", restarts, queries, time.Since(begun).Round(time.Millisecond))
	found := log.lines(t, "database")
	if len(found) != 1 || found[0]["mode"] != "transaction" || found[0]["kind"] != "transaction-pooler" {
		t.Errorf("the probe has found %v", found)
	}
	drained := log.lines(t, "drained")
	if len(drained) != restarts {
		t.Errorf("%d drained lines, want %d", len(drained), restarts)
	}
	for _, line := range drained {
		if line["left"] != 0.0 || line["sessions"].(float64) < 8 {
			t.Errorf("%v", line)
		}
	}
	if found := log.lines(t, "conflict"); len(found) > 0 {
		t.Errorf("%v", found)
	}
}

// generation is one run of the app: clean and killed ends take turns.
func generation(t *testing.T, g *guard.Guard, gen int, a *process) {
	t.Helper()
	a.await(t, "done")
	g.RecordSockets(gen, []int{a.cmd.Process.Pid})
	a.end(t, ending(gen%2))
	g.Drain(t.Context(), gen)
	if len(a.bad) > 0 {
		t.Errorf("generation %d: %v", gen, a.bad)
	}
}

// statementsOf returns the names of the statements that the pool's sessions
// hold: transactions keep hold of all of them at once. A pooler that tracks
// statements keeps the one of devguard's probe, under a name of its own.
func statementsOf(t *testing.T, url string) (names []string) {
	t.Helper()
	var conns []*pgconn.PgConn
	for range pool {
		conn := connect(t, url)
		conns = append(conns, conn)
		results, err := conn.Exec(t.Context(), "begin; select name from pg_prepared_statements where not (name like 'PGBOUNCER%' and statement = 'select 1')").ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range results[1].Rows {
			names = append(names, string(row[0]))
		}
	}
	for _, conn := range conns {
		_ = conn.Close(t.Context())
	}
	return names
}

// clientsOf counts the clients of a role that the pooler has.
func clientsOf(t *testing.T, b *pgtest.Bouncer, role string) (n int) {
	t.Helper()
	for _, row := range b.Admin(t, "SHOW CLIENTS") {
		if slices.Contains(row, role) {
			n++
		}
	}
	return n
}
