package guard

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/devguard/devguard/dbguard/pgtest"
)

// note returns the last line whose msg holds text, nil when there is none.
func (r *record) note(t *testing.T, text string) (found map[string]any) {
	t.Helper()
	for _, line := range r.saying(t, func(msg string) bool { return strings.Contains(msg, text) }) {
		found = line
	}
	return found
}

// TestPauseIsLimited: a hook that takes its time does not stop the app for longer.
func TestPauseIsLimited(t *testing.T) {
	s, dev := server(t)
	g, log := open(t, Options{Databases: auto(Database{})})
	conn := connection(t, through(t, g, 1, s.URL(dev)))
	run(t, conn, "select 1")
	resume := g.Pause(t.Context(), "migrate", []string{"DATABASE_URL=" + s.URL(dev)})
	begun := time.Now()
	run(t, conn, "select 1")
	if waited := time.Since(begun); waited < pauseLimit-time.Second || waited > pauseLimit+5*time.Second {
		t.Errorf("the app has waited for %v, want %v", waited, pauseLimit)
	}
	resume(false)
	run(t, conn, "select 1")
	if log.note(t, "hook migrate still runs after 5s: the app's transactions go on beside it") == nil {
		t.Errorf("nothing is said:\n%s", log.text())
	}
}

// TestBlockedMigration: who holds the lock is said while the hook waits for it, and what
// the hint says ends the wait.
func TestBlockedMigration(t *testing.T) {
	s, dev := server(t)
	g, log := open(t, Options{Databases: auto(Database{})})
	url := s.URL(dev)
	psql := connection(t, s.URL(pgtest.Conn{User: "dev", Database: "app", Params: "application_name=psql"}))
	run(t, psql, "begin; update things set n = 77 where id = 3")
	env, err := g.HookEnv(t.Context(), []string{"DATABASE_URL=" + url}, true)
	if err != nil {
		t.Fatal(err)
	}
	resume := g.Pause(t.Context(), "migrate", env)
	s.Exec(t, "select pg_sleep(0.2)") // as the start of a hook takes longer than a question to the server
	hook := connection(t, url)
	done := make(chan error, 1)
	go func() {
		_, err := hook.Exec(context.WithoutCancel(t.Context()), "alter table things add column room int").ReadAll()
		done <- err
	}()
	var line map[string]any
	for begun := time.Now(); line == nil && time.Since(begun) < 20*time.Second; {
		line = log.note(t, "hook migrate waits for a lock")
		s.Exec(t, "select pg_sleep(0.05)")
	}
	want := fmt.Sprintf("server process %d (dev, psql), idle in transaction for ", psql.PID())
	if msg := fmt.Sprint(line["msg"]); !strings.Contains(msg, want) || !strings.Contains(msg, "update things set n = ?") || !strings.Contains(msg, "new transactions of the app wait") {
		t.Fatalf("%v", line)
	}
	_, sql, _ := strings.Cut(fmt.Sprint(line["hint"]), "in psql: ")
	run(t, connection(t, url), sql)
	if err := <-done; err != nil {
		t.Error(err)
	}
	resume(true)
}

// TestBlockingIsTheHooksAlone: nothing is said of a lock for which only sessions wait that
// are older than the hook.
func TestBlockingIsTheHooksAlone(t *testing.T) {
	s, dev := server(t)
	g, _ := open(t, Options{Databases: auto(Database{})})
	url := s.URL(dev)
	through(t, g, 1, url)
	u := g.upstreams.all()[0]
	holder := connection(t, url)
	between := time.Now()
	s.Exec(t, "select pg_sleep(0.2)") // as the start of a hook takes longer than a question to the server
	waiting := connection(t, url)
	s.Exec(t, "select pg_sleep(0.2)")
	after := time.Now()
	run(t, holder, "begin; lock table things")
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = waiting.Exec(context.WithoutCancel(t.Context()), "select * from things").ReadAll()
	}()
	for s.Query(t, "select count(*) from pg_stat_activity where wait_event_type = 'Lock'")[0][0] != "1" {
	}
	if list := u.blocking(t.Context(), between); len(list) != 1 || uint32(list[0].PID) != holder.PID() {
		t.Errorf("a hook's: %v", list)
	}
	if list := u.blocking(t.Context(), after); len(list) != 0 {
		t.Errorf("an older session's: %v", list)
	}
	run(t, holder, "commit")
	<-done
}

// TestMigratesThroughAPooler: it is said once that a hook is given a pooler's URL, and no
// more once the hint was followed.
func TestMigratesThroughAPooler(t *testing.T) {
	s, dev := server(t)
	b := pgtest.PgBouncer(t, s, pgtest.Pool{Mode: "transaction"})
	pooled := []string{"DATABASE_URL=" + b.URL(dev)}
	for name, c := range map[string]struct {
		env  []string
		hint string
	}{
		"no DIRECT_URL":             {pooled, "set DIRECT_URL to the URL of the server itself"},
		"a DIRECT_URL as told":      {append([]string{"DIRECT_URL=" + s.URL(dev)}, pooled...), ""},
		"a DIRECT_URL just like it": {append([]string{"DIRECT_URL=" + b.URL(dev)}, pooled...), "write the URL of the server itself into DIRECT_URL"},
		"no pooler":                 {[]string{"DATABASE_URL=" + s.URL(dev)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			g, log := open(t, Options{Databases: auto(Database{})})
			for range 2 {
				if _, err := g.HookEnv(t.Context(), c.env, true); err != nil {
					t.Fatal(err)
				}
			}
			line := log.note(t, "hooks that migrate go through a transaction pooler")
			if hint, _ := line["hint"].(string); !strings.HasPrefix(hint, c.hint) || (line == nil) != (c.hint == "") {
				t.Errorf("%v", line)
			}
			if n := strings.Count(log.text(), "hooks that migrate"); n > 1 {
				t.Errorf("said %d times", n)
			}
		})
	}
}
