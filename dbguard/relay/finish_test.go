package relay

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/devguard/devguard/dbguard/pgtest"
)

// ends are the states in which a client can vanish. do returns once the server is in that state.
var ends = []struct {
	name string
	do   func(l *link, o observer)
	want Report
}{
	{"idle", func(l *link, o observer) { l.run("select 1") }, Report{Clean: true}},
	{"nothing said", func(l *link, o observer) {}, Report{Clean: true}},
	{"open transaction", func(l *link, o observer) {
		l.run("begin; update things set n = n + 1 where id = 1")
	}, Report{RolledBack: true, Clean: true}},
	{"failed transaction", func(l *link, o observer) {
		l.run("begin; lock things in share mode")
		l.run("select 1/0")
	}, Report{RolledBack: true, Clean: true}},
	{"long query", func(l *link, o observer) {
		l.say(&pgproto3.Query{String: "select pg_sleep(600)"})
		o.until("PgSleep", waits(l))
	}, Report{Cancelled: true, Clean: true}},
	{"long query just sent", func(l *link, o observer) {
		l.say(&pgproto3.Query{String: "select pg_sleep(600)"})
	}, Report{Cancelled: true, Clean: true}},
	{"long query in a transaction", func(l *link, o observer) {
		l.run("begin; update things set n = n + 1 where id = 1")
		l.say(&pgproto3.Query{String: "select pg_sleep(600)"})
		o.until("PgSleep", waits(l))
	}, Report{Cancelled: true, RolledBack: true, Clean: true}},
	{"two long queries in a pipeline", func(l *link, o observer) {
		long := []pgproto3.FrontendMessage{&pgproto3.Parse{Query: "select pg_sleep(600)"}, &pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.Sync{}}
		l.say(append(long, long...)...)
		o.until("PgSleep", waits(l))
	}, Report{Cancelled: true, Clean: true}},
	{"COPY in", func(l *link, o observer) {
		l.say(&pgproto3.Query{String: "copy things from stdin"})
		hear[*pgproto3.CopyInResponse](l)
		l.say(&pgproto3.CopyData{Data: []byte("77\t0\n")})
	}, Report{Cancelled: true, Clean: true}},
	{"COPY in, in a transaction", func(l *link, o observer) {
		l.run("begin")
		l.say(&pgproto3.Query{String: "copy things from stdin"})
		hear[*pgproto3.CopyInResponse](l)
		l.say(&pgproto3.CopyData{Data: []byte("77\t0\n")})
	}, Report{Cancelled: true, RolledBack: true, Clean: true}},
	{"COPY in, cut data", func(l *link, o observer) {
		l.say(&pgproto3.Query{String: "copy things from stdin"})
		hear[*pgproto3.CopyInResponse](l)
		l.raw(cutFrame('d', 1000, 10))
	}, Report{Cancelled: true, Clean: true}},
	{"extended COPY in, no Sync", func(l *link, o observer) {
		l.say(&pgproto3.Parse{Query: "copy things from stdin"}, &pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.Flush{})
		hear[*pgproto3.CopyInResponse](l)
		l.say(&pgproto3.CopyData{Data: []byte("77\t0\n")})
	}, Report{Cancelled: true, Clean: true}},
	{"extended COPY in, early Sync", func(l *link, o observer) {
		l.say(&pgproto3.Parse{Query: "copy things from stdin"}, &pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.Sync{})
		hear[*pgproto3.CopyInResponse](l)
		l.say(&pgproto3.CopyData{Data: []byte("77\t0\n")})
	}, Report{Cancelled: true, Clean: true}},
	{"COPY out, nobody reads", func(l *link, o observer) {
		l.say(&pgproto3.Query{String: "copy (select repeat('x', 1000) from generate_series(1, 1000000)) to stdout"})
		o.until("ClientWrite", waits(l))
	}, Report{Cancelled: true, Clean: true}},
	{"pipeline without Sync", func(l *link, o observer) {
		l.say(&pgproto3.Parse{Query: "insert into things values (77)"}, &pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.Flush{})
		hear[*pgproto3.CommandComplete](l)
	}, Report{Clean: true}},
	{"pipeline without Sync or Flush", func(l *link, o observer) {
		l.say(&pgproto3.Parse{Query: "insert into things values (77)"}, &pgproto3.Bind{}, &pgproto3.Execute{})
		o.until("RowExclusiveLock", "select mode from pg_locks where pid = "+l.itsPid()+" and relation = 'things'::regclass")
	}, Report{Cancelled: true, Clean: true}},
	{"cut Bind of 16 MB", func(l *link, o observer) {
		l.run("begin; update things set n = n + 1 where id = 1")
		l.say(&pgproto3.Parse{Query: "select $1::text"})
		l.raw(cutFrame('B', 16<<20, 8<<20))
	}, Report{Cancelled: true, Clean: true}}, // as far as we know the Parse runs: its answer waits for a Sync
	{"cut header", func(l *link, o observer) {
		l.run("begin; update things set n = n + 1 where id = 1")
		l.raw([]byte{'Q', 0, 0})
	}, Report{Clean: true}},
	{"what a session holds", func(l *link, o observer) {
		l.run("listen x; create temp table mine (a int); select pg_advisory_lock(7); set work_mem = '1MB'; declare c cursor with hold for select 1")
	}, Report{Clean: true}},
	{"prepared statements", func(l *link, o observer) {
		l.say(&pgproto3.Parse{Name: "a", Query: "select 1"}, &pgproto3.Parse{Name: "b", Query: "select 2"}, &pgproto3.Sync{})
		hear[*pgproto3.ReadyForQuery](l)
	}, Report{Clean: true, Statements: 2}},
}

// waits asks what the session of a link waits for.
func waits(l *link) string {
	return "select wait_event from pg_stat_activity where pid = " + l.itsPid()
}

// raw sends bytes of the client.
func (l *link) raw(b []byte) {
	l.t.Helper()
	l.sent += uint64(len(b))
	if _, err := l.conn.Write(b); err != nil {
		l.t.Fatal(err)
	}
}

// testClientGone: whatever the client was doing, its session and what it held are gone at once, and
// nothing is committed that it had not committed.
func testClientGone(t *testing.T, s *pgtest.Server) {
	o := observe(t, s)
	o.ask("create table things (id int, n int default 0); insert into things select generate_series(1, 20)")
	for _, c := range ends {
		for _, how := range []string{"FIN", "RST"} {
			t.Run(c.name+"/"+how, func(t *testing.T) {
				l := open(t, s.URL(pgtest.Conn{}))
				c.do(l, o)
				start := time.Now()
				l.hangUp(how)
				report := l.report()
				took := time.Since(start)
				o.until("0", "select count(*) from pg_stat_activity where pid = "+l.itsPid())
				t.Logf("reported after %v, gone after %v: %+v", took, time.Since(start), report)
				if c.name == "pipeline without Sync" {
					report.Cancelled = false // chance: the undoing may still be under way
				}
				if report != c.want {
					t.Errorf("report %+v, want %+v", report, c.want)
				}
				if left := o.ask("select count(*) from pg_locks where pid = " + l.itsPid()); left != "0" {
					t.Errorf("%s locks are left", left)
				}
				if sum := o.ask("select count(*) || ' ' || sum(n) from things"); sum != "20 0" {
					t.Errorf("something was committed: %s", sum)
				}
			})
		}
	}
}
