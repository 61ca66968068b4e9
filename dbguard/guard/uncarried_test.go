package guard

import (
	"fmt"
	"testing"

	"github.com/devguard/devguard/dbguard/pgtest"
)

// TestLeftOnAPooler: what a client of a transaction pooler was in the middle of is gone
// with its server when Drain returns. What it made before lies on a server that the
// pooler has given back: the line says so, and does not say left=0.
func TestLeftOnAPooler(t *testing.T) {
	s, dev := server(t)
	pool := pgtest.PgBouncer(t, s, pgtest.Pool{Size: 1})
	g, log := open(t, Options{Databases: auto(Database{})})
	for i, c := range []struct {
		name, sql   string
		busy        bool
		rolled      int
		remaining   string
		keepsServer bool
	}{
		{name: "a query", sql: "select pg_sleep(600)", busy: true},
		{name: "a transaction", sql: "begin; set local search_path = ''", rolled: 1},
		{name: "a lock, then nothing", sql: "select pg_advisory_lock(7)", remaining: mayRemain([]string{"session advisory lock"}), keepsServer: true},
		{name: "nothing at all", sql: "select 1", keepsServer: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			gen := i + 1
			conn := connection(t, through(t, g, gen, pool.URL(dev)))
			pid := value(t, conn, "select pg_backend_pid()")
			results := conn.Exec(t.Context(), c.sql)
			if c.busy {
				awaitState(t, s, "active")
			} else if _, err := results.ReadAll(); err != nil {
				t.Fatal(err)
			}
			g.RecordSockets(gen, nil)
			kill(conn)
			g.Drain(t.Context(), gen)
			there := func() string {
				return s.Query(t, "select count(*) from pg_stat_activity where pid = "+pid)[0][0]
			}
			if !c.keepsServer {
				until(t, func() bool { return there() == "0" })
			} else if there() != "1" {
				t.Error("the server is gone, though its client was in the middle of nothing")
			}
			line := log.last(t, "drained")
			if number(line, "rolled_back") != c.rolled {
				t.Errorf("%v", line)
			}
			if left, said := line["left"]; said == (c.remaining != "") || said && left != 0.0 {
				t.Errorf("left is %v", left)
			}
			if c.remaining != "" && fmt.Sprint(line["remaining"]) != "["+c.remaining+"]" {
				t.Errorf("%v", line)
			}
		})
	}
}
