package guard

import (
	"testing"

	"github.com/devguard/devguard/dbguard/pgtest"
)

// TestResetSessions: the app's sessions end, in order, and it may open new ones with the password
// that it has; nobody else's end.
func TestResetSessions(t *testing.T) {
	s, dev := server(t)
	g, log := open(t, Options{Databases: auto(Database{})})
	url := through(t, g, 1, s.URL(dev))
	psql := connection(t, s.URL(dev))
	idle, busy := connection(t, url), connection(t, url)
	run(t, idle, "select 1")
	run(t, busy, "begin; update things set n = 77 where id = 3")
	done := g.ResetSessions(t.Context())
	if len(done) != 1 || done[0].Sessions != 2 || done[0].RolledBack != 1 || done[0].Left != 0 || done[0].Reason != "" {
		t.Errorf("%+v", done)
	}
	if log.note(t, "sessions of the app that were ended, as asked: 2") == nil {
		t.Errorf("nothing is said:\n%s", log.text())
	}
	if _, err := idle.Exec(t.Context(), "select 1").ReadAll(); err == nil {
		t.Error("a session goes on")
	}
	run(t, psql, "update things set n = 78 where id = 3") // nothing holds the row
	again := connection(t, url)
	run(t, again, "select 1")
	kill(again)
	g.Drain(t.Context(), 1)
}

// TestResetSessionsPastUs: where nothing passes through us, it is said.
func TestResetSessionsPastUs(t *testing.T) {
	s, dev := server(t)
	g, _ := open(t, Options{})
	appEnv(t, g, 1, "DATABASE_URL="+s.URL(dev))
	if done := g.ResetSessions(t.Context()); len(done) != 1 || done[0].Sessions != 0 || done[0].Reason == "" {
		t.Errorf("%+v", done)
	}
}

// TestResetSessionsBehindAPooler: a transaction that is open there is rolled back, and the app may go on.
func TestResetSessionsBehindAPooler(t *testing.T) {
	s, dev := server(t)
	b := pgtest.PgBouncer(t, s, pgtest.Pool{Mode: "transaction"})
	g, _ := open(t, Options{Databases: auto(Database{})})
	url := through(t, g, 1, b.URL(dev))
	busy := connection(t, url)
	run(t, busy, "begin; update things set n = 77 where id = 3")
	if done := g.ResetSessions(t.Context()); len(done) != 1 || done[0].Sessions != 1 || done[0].RolledBack != 1 || done[0].Left != 0 {
		t.Errorf("%+v", done)
	}
	again := connection(t, url)
	run(t, again, "update things set n = 78 where id = 3") // nothing holds the row
	kill(again)
	g.Drain(t.Context(), 1)
}
