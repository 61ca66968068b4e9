package relay

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/devguard/devguard/dbguard/pgtest"
)

// testThroughPgBouncer: cancel and end work the same behind a pooler; there the server's session
// lives on, and must hold nothing.
func testThroughPgBouncer(t *testing.T, s *pgtest.Server) {
	o := observe(t, s)
	o.ask("create table things (id int, n int default 0); insert into things select generate_series(1, 20)")
	for _, mode := range []string{"session", "transaction"} {
		b := pgtest.PgBouncer(t, s, pgtest.Pool{Mode: mode})
		running := "select count(*) from pg_stat_activity where state <> 'idle' and pid <> pg_backend_pid() and backend_type = 'client backend'"
		sleeps := "select count(*) from pg_stat_activity where wait_event = 'PgSleep'"
		t.Run(mode+"/cancel", func(t *testing.T) {
			l := open(t, b.URL(pgtest.Conn{}))
			l.say(&pgproto3.Query{String: "select pg_sleep(600)"})
			o.until("1", sleeps)
			l.Cancel(t.Context())
			if e := hear[*pgproto3.ErrorResponse](l); e.Code != "57014" {
				t.Errorf("%+v", e)
			}
			hear[*pgproto3.ReadyForQuery](l)
			l.run("select 1")
			l.hangUp("FIN")
			if r := l.report(); r != (Report{Clean: true}) {
				t.Errorf("%+v", r)
			}
		})
		for _, c := range []struct {
			name, first, then string
			want              Report
		}{
			{"idle", "select 1", "", Report{Clean: true}},
			{"transaction", "begin; update things set n = 1", "", Report{RolledBack: true, Clean: true}},
			{"query", "select 1", "select pg_sleep(600)", Report{Cancelled: true, Clean: true}},
			{"query in a transaction", "begin; update things set n = 1", "select pg_sleep(600)", Report{Cancelled: true, RolledBack: true, Clean: true}},
		} {
			t.Run(mode+"/"+c.name, func(t *testing.T) {
				l := open(t, b.URL(pgtest.Conn{}))
				l.run(c.first)
				if c.then != "" {
					l.say(&pgproto3.Query{String: c.then})
					o.until("1", sleeps)
				}
				start := time.Now()
				l.hangUp("RST")
				if r := l.report(); r != c.want {
					t.Errorf("%+v, want %+v", r, c.want)
				}
				o.until("0", running)
				t.Logf("nothing runs after %v", time.Since(start))
				if sum := o.ask("select sum(n) from things"); sum != "0" {
					t.Errorf("something was committed: %s", sum)
				}
			})
		}
	}
}
