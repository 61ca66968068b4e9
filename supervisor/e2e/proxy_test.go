package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/devguard/devguard/dbguard/pgtest"
)

// guarded are plans of apps, by generation modulo their number, and what the line
// about the end of each says. Those before the last are about sessions that pass
// through devguard.
var guarded = []struct {
	plan                                        string
	sessions, cancelled, rolledBack, statements int
}{
	{"worker idle", 0, 0, 0, 0}, // the last one: it works on after the stop signal
	{"table", 1, 0, 0, 0},
	{"lock", 1, 0, 0, 0},
	{"listen", 1, 0, 0, 0},
	{"set", 1, 0, 0, 0},
	{"tx", 1, 0, 1, 0},
	{"query", 1, 1, 1, 0},
	{"prepared", 1, 0, 0, 1},
	{"named deaf query temp", 2, 1, 1, 0},
	{"idle hard tx query", 3, 0, 0, 0}, // two of them go past devguard
}

// By default the app's sessions pass through devguard. Whatever they hold, nothing
// of it is left when the next generation starts, whose first session is there
// already; a colleague who is the same role loses nothing; the app's last sessions
// are those that it opens after the stop signal; and nothing is left in the end.
func TestRestartsThroughTheGuard(t *testing.T) {
	t.Parallel()
	s := database(t)
	colleague := session(t, s.URL(dev))
	must(t, colleague, "begin; update things set n = 1 where id = 20; prepare mine as select 42")
	var plans []string
	for _, g := range guarded {
		plans = append(plans, g.plan)
	}
	d, dir := runCommand(t, "[app]\ngrace = \"300ms\"\n"+unhurried, []string{
		"DATABASE_URL=" + s.URL(dev), "PGAPP_PLANS=" + strings.Join(plans, ";"), fmt.Sprintf("PGAPP_SPARE=%d", colleague.PID()),
		"PGAPP_HARD=" + strings.TrimPrefix(s.URL(dev), "postgres://"),
		"PGOPTIONS=-c client_connection_check_interval=0", // nothing but the guard ends a query here
	})
	for gen := 1; gen < len(guarded); gen++ {
		plan := guarded[gen].plan
		d.says(fmt.Sprintf("gen=%d serves %s\n", gen, plan))
		d.foundNothing(gen)
		if strings.Contains(plan, "query") {
			awaitQuery(t, s, 1)
		}
		if gen == len(guarded)-1 {
			saveWhole(t, dir+"/devguard.toml", "[app]\ngrace = \"10s\"\n[[database]]\ndrain_timeout = \"50s\"\n")
		} else {
			restartByPage(t, dir, gen)
		}
		d.endedWith(gen)
	}
	last := len(guarded)
	d.says(fmt.Sprintf("gen=%d serves worker idle\n", last))
	d.foundNothing(last) // by a guard that does not know how the one before began
	if colleague.TxStatus() != 'T' {
		t.Error("the colleague's transaction is gone")
	}
	must(t, colleague, "execute mine; update things set n = 2 where id = 20; commit")
	colleague.Close(t.Context())
	if code := d.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	s.Exec(t, "drop database app")
	d.says(fmt.Sprintf("gen=%d has worked: parts=true error=<nil>\n", last))
	if l := d.wait(0, "instance exited", ofGen(last)); l.int("code") != 0 {
		t.Errorf("%s", l.Raw)
	}
	// The edit of the database in devguard.toml makes a second guard, which says what it finds.
	if n := d.count(0, "conflict") + d.count(0, "bypass"); n != 0 || d.count(0, "database") != 2 {
		t.Errorf("it says too much\n%s", d.log())
	}
}

// foundNothing holds what a generation says of the database it found.
func (d *devguard) foundNothing(gen int) {
	d.t.Helper()
	out := d.out.String()
	if !strings.Contains(out, fmt.Sprintf("gen=%d found sessions=0 locks=0\n", gen)) {
		d.t.Errorf("generation %d has found something\n%s", gen, out)
	}
	if name := fmt.Sprintf(":%d\" check=0 ahead=%t\n", gen, gen > 1 && gen < len(guarded)); !strings.Contains(out, name) {
		d.t.Errorf("the first session of generation %d is not %q\n%s", gen, name, out)
	}
}

// endedWith waits for the end of a generation and holds what is said of it.
func (d *devguard) endedWith(gen int) {
	d.t.Helper()
	want := guarded[gen]
	l := d.wait(0, "drained", ofGen(gen))
	hard := strings.Contains(want.plan, "hard")
	// Its first session, of two statements, may be on its way out at the stop still;
	// a transaction that goes past devguard may end with its client before it is found.
	more := l.int("sessions") - want.sessions
	if more != 0 && more != 1 && !(hard && more == -1) {
		d.t.Errorf("plan %q: %s", want.plan, l.Raw)
	}
	for key, n := range map[string]int{"cancelled": want.cancelled, "rolled_back": want.rolledBack, "statements": want.statements, "left": 0} {
		if got := l.int(key); got != n && !(key == "statements" && got == n+2) {
			d.t.Errorf("plan %q: %s is %d, want %d: %s", want.plan, key, got, n, l.Raw)
		}
	}
	if got := l.int("terminated"); hard && got < 1 || !hard && got != 0 {
		d.t.Errorf("plan %q: %s", want.plan, l.Raw)
	}
	if n := d.count(0, "drained"); n != gen {
		d.t.Errorf("%d lines drained for %d generations", n, gen)
	}
}

// A migration that changes a type under the app's prepared statements, and under a
// long query in a transaction that holds the table: the query is in its way for
// the drain timeout at most, and the next generation has neither an error nor a
// wrong value. One that fails leaves the process and its sessions as they are.
func TestMigrationUnderTheApp(t *testing.T) {
	t.Parallel()
	bin, err := pgappBinary()
	if err != nil {
		t.Fatal(err)
	}
	s := database(t)
	b := pgtest.PgBouncer(t, s, pgtest.Pool{Mode: "transaction"})
	for name, url := range map[string]string{"direct": s.URL(dev), "pgbouncer": b.URL(dev)} {
		t.Run(name, func(t *testing.T) {
			owner := session(t, s.URL(dev))
			must(t, owner, "drop table if exists readings; create table readings (id int primary key, v int); insert into readings values (1, 7)")
			port := freePort(t)
			d, dir := runCommand(t, fmt.Sprintf(migrations, bin)+"[watch]\nexclude = [\"told.txt\"]\n[[database]]\ndrain_timeout = \"1s\"\n", []string{
				"PORT=" + port, "DATABASE_URL=" + url, "DIRECT_URL=" + s.URL(dev), "PGAPP_PLANS=reader query",
			})
			addr := "http://127.0.0.1:" + port
			d.says("gen=1 serves reader query\n")
			d.ready()
			d.reads(addr, 1)
			awaitQuery(t, s, 1)
			mark := d.mark()
			saveWhole(t, dir+"/migrations/1.txt", "alter table readings alter v type text; alter table things alter n type bigint")
			d.wait(mark, "hook finished", nil) // blocked by the query it would fail after the 10 s of lock_timeout
			d.wait(mark, "instance ready", ofGen(2))
			session, failed := d.reads(addr, 2)
			if failed != "[]" {
				t.Errorf("generation 2 has seen %s", failed)
			}

			pid := d.wait(mark, "instance started", ofGen(2)).int("pid")
			mark = d.mark()
			saveWhole(t, dir+"/migrations/2.txt", "alter table nothing add column n int")
			d.wait(mark, "hook failed", nil)
			if again, failed := d.reads(addr, 2); again != session || failed != "[]" {
				t.Errorf("a failed migration: session %d was %d, failed %s", again, session, failed)
			}
			if n := d.count(mark, "instance stopping"); n != 0 || d.count(0, "instance started") != 2 {
				t.Errorf("the app of pid %d was stopped\n%s", pid, d.log())
			}
			for _, l := range d.since(0) {
				if l.Msg == "conflict" && l.int("gen") > 1 {
					t.Errorf("%s", l.Raw)
				}
			}
			d.stop()
		})
	}
}

// reads waits until the reader of generation gen has read some more, and returns
// its session and what went wrong.
func (d *devguard) reads(addr string, gen int) (session int, failed string) {
	d.t.Helper()
	first, count := -1, 0
	if !poll(limit, func() bool {
		_, err := fmt.Sscanf(get(addr), fmt.Sprintf("gen=%d v1 session=%%d reads=%%d failed=%%s", gen), &session, &count, &failed)
		if err == nil && first < 0 {
			first = count
		}
		return err == nil && count > first+40
	}) {
		d.t.Fatalf("generation %d does not read: %q\n%s", gen, get(addr), d.log())
	}
	return session, failed
}
