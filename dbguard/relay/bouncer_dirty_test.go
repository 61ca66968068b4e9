package relay

import (
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/devguard/devguard/dbguard/pgtest"
	"github.com/devguard/devguard/dbguard/session"
)

// unfinished are the states in which a client of a pooler can vanish in the middle of something,
// and what its server is sent until then. Each leaves a lock of the session on its server.
var unfinished = []struct {
	name, first, then string
	extended          bool // then is sent as a batch
	unsynced          bool // without a Sync
	until             string
	want              Report
	whole             bool // the server is to be kept: the client was not in the middle of anything
}{
	{name: "between two transactions", first: "select pg_advisory_lock(7)", want: Report{Clean: true}, whole: true},
	{name: "transaction", first: "begin; select pg_advisory_lock(7)", want: Report{RolledBack: true, Clean: true}},
	{name: "failed transaction", first: "begin; select pg_advisory_lock(7); select 1/0", want: Report{RolledBack: true, Clean: true}},
	{name: "statement", then: "select pg_advisory_lock(7), pg_sleep(20)", until: sleeps, want: Report{Cancelled: true, Clean: true}},
	{name: "statement of a batch", then: "select pg_advisory_lock(7), pg_sleep(20)", extended: true, until: sleeps, want: Report{Cancelled: true, Clean: true}},
	{name: "statement of a batch without Sync", then: "select pg_advisory_lock(7), pg_sleep(20)", extended: true, unsynced: true, until: sleeps,
		want: Report{Cancelled: true, Clean: true}},
	{name: "statement in a transaction", first: "begin; select pg_advisory_lock(7)", then: "select pg_sleep(20)", until: sleeps,
		want: Report{Cancelled: true, RolledBack: true, Clean: true}},
	{name: "several statements", then: "select pg_advisory_lock(7); commit; select pg_sleep(20)", until: sleeps, want: Report{Cancelled: true, Clean: true}},
	{name: "COPY in", first: "create table if not exists things (id int)",
		then: "select pg_advisory_lock(7); copy things from stdin", until: copies, want: Report{Clean: true}},
	{name: "COPY out", then: "select pg_advisory_lock(7); copy (select pg_sleep(2)) to stdout", until: sleeps, want: Report{Clean: true}},
}

const (
	sleeps = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'"
	copies = "select count(*) from pg_stat_activity where wait_event = 'ClientRead' and query like '%copy things%' and pid <> pg_backend_pid() and state = 'active'"
	locked = "select count(*) from pg_locks where locktype = 'advisory'"
	served = "select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()"
)

// testThrownAway: a pooler closes the server of a client that is gone in the middle of something,
// as it would without us; nobody is given its locks.
func testThrownAway(t *testing.T, s *pgtest.Server) {
	o := observe(t, s)
	for _, pool := range []string{"transaction", "session"} {
		for _, mode := range []session.Mode{session.Pass, session.Rewrite} {
			if pool == "transaction" && mode == session.Pass {
				continue
			}
			for _, c := range unfinished {
				if c.name == "COPY out" && mode == session.Pass {
					c.want.Cancelled = true // a pooler in session mode keeps its server anyhow
				}
				t.Run(pool+"/"+[]string{"pass", "rewrite"}[mode]+"/"+c.name, func(t *testing.T) {
					o := observer{t, o.conn}
					b := pgtest.PgBouncer(t, s, pgtest.Pool{Mode: pool, Size: 1, Settings: map[string]string{"server_reset_query": ""}})
					l := openWith(t, b.URL(pgtest.Conn{}), session.Options{Mode: mode, Pooled: true})
					if c.first != "" {
						l.run(c.first)
					}
					switch {
					case c.then == "":
					case c.extended:
						l.say(&pgproto3.Parse{Query: c.then}, &pgproto3.Bind{}, &pgproto3.Execute{})
						if c.unsynced {
							l.say(&pgproto3.Flush{})
						} else {
							l.say(&pgproto3.Sync{})
						}
					default:
						l.say(&pgproto3.Query{String: c.then})
					}
					if c.until != "" {
						o.until("1", c.until)
					}
					if c.until == copies { // the relay knows of it, too
						hear[*pgproto3.CopyInResponse](l)
					}
					l.hangUp("FIN")
					if r := l.report(); r != c.want {
						t.Errorf("%+v, want %+v", r, c.want)
					}
					if c.whole {
						if n := o.ask(served); n != "1" {
							t.Errorf("%s servers, want the one that was there", n)
						}
						return
					}
					o.until("0", locked)
					o.until("0", served)
				})
			}
		}
	}
}
