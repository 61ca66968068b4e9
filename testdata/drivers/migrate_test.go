package drivers

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/devguard/devguard/dbguard/pgtest"
)

// TestMigrationKilled: golang-migrate holds an advisory lock of its session while it migrates. When
// it is killed in the middle, behind PgBouncer the backend runs on with the lock up to the end of
// its statement; through devguard both are gone at once, nobody is given that server, and the next
// run hears of the dirty version instead of waiting for the lock.
func TestMigrationKilled(t *testing.T) {
	length := 10 * time.Second
	if *campaign {
		length = 20 * time.Second
	}
	s := pgtest.Start(t)
	p := migration(t, length)
	t.Run("without devguard", func(t *testing.T) {
		b := pgtest.PgBouncer(t, s, pgtest.Pool{Size: pool})
		took := killMigration(t, s, p, environment(t, p, b.URL(pgtest.Conn{})), func() {})
		t.Logf("the lock is gone after %v", took)
		if took < length/2 {
			t.Error("without devguard the lock is gone at once: this shows nothing")
		}
	})
	s.Exec(t, "drop table schema_migrations")
	t.Run("through devguard", func(t *testing.T) {
		b := pgtest.PgBouncer(t, s, pgtest.Pool{Size: pool})
		g, log := openGuard(t, "auto")
		env := func(gen int) []string {
			env, err := g.AppEnv(t.Context(), gen, environment(t, p, b.URL(pgtest.Conn{})))
			if err != nil {
				t.Fatal(err)
			}
			return env
		}
		took := killMigration(t, s, p, env(1), func() { g.Drain(t.Context(), 1) })
		t.Logf("the lock is gone after %v", took)
		if took > length/2 {
			t.Error("the lock has outlived the migration")
		}
		if lines := log.lines(t, "drained"); len(lines) != 1 || lines[0]["cancelled"] != 1.0 {
			t.Errorf("%v", lines)
		}
		next := p.start(t, env(2), 0)
		next.await(t, "")
		for why := range next.bad {
			if !strings.Contains(why, "Dirty database version 1") {
				t.Errorf("the next migration: %s", why)
			}
		}
		if len(next.bad) != 1 {
			t.Errorf("the next migration: %v", next.bad)
		}
		g.Drain(t.Context(), 2)
	})
}

// migration is golang-migrate with a migration that takes a while.
func migration(t *testing.T, length time.Duration) program {
	t.Helper()
	dir := t.TempDir()
	sql := fmt.Sprintf("create temp table half (a int); set search_path = ''; select pg_sleep(%v);", length.Seconds())
	if err := os.WriteFile(filepath.Join(dir, "1_slow.up.sql"), []byte(sql), 0o600); err != nil {
		t.Fatal(err)
	}
	return program{name: "migrate", args: func(*testing.T, int) []string { return []string{app, "-migrations", dir} }}
}

// killMigration kills a migration in the middle, does what follows, and returns after what time the
// migration's locks and statement were gone.
func killMigration(t *testing.T, s *pgtest.Server, p program, env []string, then func()) time.Duration {
	t.Helper()
	observer := connect(t, s.URL(pgtest.Conn{}))
	ask := func(sql string) string {
		results, err := observer.Exec(t.Context(), sql).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return string(results[0].Rows[0][0])
	}
	a := p.start(t, env, 0)
	until(t, "the migration does not run", func() bool {
		return ask("select count(*) from pg_stat_activity where wait_event = 'PgSleep'") == "1"
	})
	a.end(t, killed)
	begun := time.Now()
	then()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for ask("select (select count(*) from pg_locks where locktype = 'advisory') + (select count(*) from pg_stat_activity where wait_event = 'PgSleep')") != "0" {
		if <-poll.C; time.Since(begun) > time.Minute {
			t.Fatal("the migration's lock stays")
		}
	}
	return time.Since(begun)
}
