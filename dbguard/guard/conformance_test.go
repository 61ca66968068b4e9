package guard

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devguard/devguard/dbguard/pgtest"
)

// A target is one way to a database of its own on the one server.
type target struct {
	name  string
	url   string         // what the client connects to
	owner *pgconn.PgConn // straight to the same database
	admin *pgtest.Server // the server
}

// The targets, of which the first is the measure for the others.
const (
	toDirect      = "direct"
	toSession     = "session"
	toTLS         = "session, TLS and SCRAM upstream"
	toTransaction = "transaction, direct"
	toPooled      = "transaction, PgBouncer"

	poolOf = 5
)

// check is one thing that an application can observe.
type check struct {
	name   string
	run    func(*peer)
	limits []limit
}

// limit is a difference that is known and said. docs/database.md quotes the words.
type limit struct {
	where []string
	words string
	shows string // a piece of the transcript there that that of direct does not have
}

// inTransaction are the targets where statements are rewritten.
var inTransaction = []string{toTransaction, toPooled}

// conformance is the table: every check shows on every target what it shows
// direct, or the limit that it names.
func conformance() []check {
	return slices.Concat(pipelineChecks, transactionChecks, statementChecks, forgetChecks, ownSQLChecks,
		copyChecks, portalChecks, schemaChecks, cancelChecks, settingChecks, driverChecks)
}

func TestConformance(t *testing.T) { conform(t, false) }

// TestConformanceTracked: a pooler that makes named statements follow their client changes nothing.
func TestConformanceTracked(t *testing.T) { conform(t, true) }

func conform(t *testing.T, tracks bool) {
	t.Helper()
	targets := conformanceTargets(t, tracks)
	for _, c := range conformance() {
		t.Run(c.name, func(t *testing.T) {
			heard := transcripts(t, c, targets)
			for i, where := range targets[1:] {
				c.compare(t, where.name, heard[i+1], heard[0])
			}
		})
	}
	assertNoSessions(t, targets)
	t.Logf("\n%s", conformanceTable(targets))
}

// assertNoSessions: each database has the session of its owner, and the pool.
func assertNoSessions(t *testing.T, targets []target) {
	t.Helper()
	until(t, func() bool {
		const sql = `select count(*) from pg_stat_activity where datname ~ '^c_' and datname <> 'c_pooled'
			and application_name <> 'devguard'`
		return targets[0].admin.Query(t, sql)[0][0] == fmt.Sprint(len(targets)-1)
	})
}

// transcripts runs a check on all targets at once.
func transcripts(t *testing.T, c check, targets []target) [][]string {
	t.Helper()
	var wait sync.WaitGroup
	heard := make([][]string, len(targets))
	for i, where := range targets {
		wait.Go(func() {
			t.Run(where.name, func(t *testing.T) { heard[i] = transcript(t, c, where) })
		})
	}
	wait.Wait()
	return heard
}

// transcript runs a check on a connection of its own.
func transcript(t *testing.T, c check, where target) []string {
	t.Helper()
	p := newPeer(t, where)
	c.run(p)
	p.end()
	return *p.heard
}

func (c check) limitOn(where string) *limit {
	for i, l := range c.limits {
		if slices.Contains(l.where, where) {
			return &c.limits[i]
		}
	}
	return nil
}

// compare demands the transcript of direct, or the documented difference.
func (c check) compare(t *testing.T, where string, got, want []string) {
	t.Helper()
	same := slices.Equal(got, want)
	l := c.limitOn(where)
	switch {
	case l == nil && !same:
		t.Errorf("%s: %s", where, difference(got, want))
	case l == nil:
	case same:
		t.Errorf("%s: the limit is gone: %s\n%s", where, l.words, strings.Join(got, "\n"))
	case !strings.Contains(strings.Join(got, "\n"), l.shows) || strings.Contains(strings.Join(want, "\n"), l.shows):
		t.Errorf("%s: not as the limit says, %q: %s\n%s", where, l.shows, l.words, difference(got, want))
	}
}

// difference sets two transcripts out from just before where they part.
func difference(got, want []string) string {
	first := 0
	for first < min(len(got), len(want)) && got[first] == want[first] {
		first++
	}
	from := max(0, first-4)
	return fmt.Sprintf("they part at message %d:\n got:\n\t%s\n direct:\n\t%s", first,
		strings.Join(got[from:min(len(got), first+8)], "\n\t"), strings.Join(want[from:min(len(want), first+8)], "\n\t"))
}

// conformanceTable is what docs/database.md says.
func conformanceTable(targets []target) string {
	var b strings.Builder
	for _, c := range conformance() {
		words := "as direct"
		for _, l := range c.limits {
			words = fmt.Sprintf("%s: %s", strings.Join(l.where, "; "), l.words)
		}
		fmt.Fprintf(&b, "| %s | %s |\n", c.name, words)
	}
	return fmt.Sprintf("%d checks on %d targets\n%s", len(conformance()), len(targets), b.String())
}

// conformanceTargets starts a server, a PgBouncer and a Guard before both.
func conformanceTargets(t *testing.T, tracks bool) []target {
	t.Helper()
	s, _ := server(t, pgtest.SSL())
	list := []target{{name: toDirect}, {name: toSession}, {name: toTLS}, {name: toTransaction}, {name: toPooled}}
	databases := []string{"c_direct", "c_session", "c_tls", "c_transaction", "c_pooled"}
	for i, name := range databases {
		s.CreateDB(t, name, "dev")
		list[i].admin = s
		list[i].url = s.URL(pgtest.Conn{User: "dev", Database: name})
		list[i].owner = connection(t, list[i].url)
	}
	// Every batch gets another server than the one before.
	b := pgtest.PgBouncer(t, s, pgtest.Pool{Size: poolOf, Tracks: tracks, Settings: map[string]string{"server_round_robin": "1"}})
	list[4].url = b.URL(pgtest.Conn{User: "dev", Database: databases[4]})
	list[2].url = s.URL(pgtest.Conn{User: "dev", Database: databases[2], Params: "sslmode=verify-full&sslrootcert=" + s.CAFile})
	lead(t, list)
	fillPool(t, list[4].url)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the pooler says:\n%s", b.Log())
		}
	})
	return list
}

// lead puts a Guard before all targets but the first, and checks what it takes
// them for.
func lead(t *testing.T, list []target) {
	t.Helper()
	names := []string{"", "SESSION_URL", "TLS_URL", "TRANSACTION_URL", "POOLED_URL"}
	var databases []Database
	var base []string
	for i, name := range names[1:] {
		d := Database{URLEnv: []string{name}, Mode: string(modeAuto)}
		if list[i+1].name == toTransaction {
			d.Mode = string(modeTransaction)
		}
		databases = append(databases, d)
		base = append(base, name+"="+list[i+1].url)
	}
	g, log := open(t, Options{Databases: databases})
	env := appEnv(t, g, 1, base...)
	for i, name := range names[1:] {
		led, _ := get(env, name)
		if led == list[i+1].url || strings.Contains(led, password) {
			t.Fatalf("%s is not led to devguard", name)
		}
		list[i+1].url = led
		conn := connection(t, led)
		encrypted := value(t, conn, "select ssl from pg_stat_ssl where pid = pg_backend_pid()")
		if want := strconv.FormatBool(list[i+1].name == toTLS)[:1]; encrypted != want {
			t.Errorf("%s: encrypted %s, want %s", name, encrypted, want)
		}
		closeConn(t.Context(), conn)
	}
	assertModes(t, log)
}

func assertModes(t *testing.T, log *record) {
	t.Helper()
	got := map[string]int{}
	for _, line := range log.lines(t, "database") {
		got[fmt.Sprint(line["mode"], " ", line["kind"])]++
	}
	t.Log(got)
	if got["session postgres"] != 2 || got["transaction transaction-pooler"] != 1 {
		t.Errorf("%v\n%s", got, log.text())
	}
}

// fillPool makes the pooler open all servers of its pool.
func fillPool(t *testing.T, url string) {
	t.Helper()
	var all []*pgconn.PgConn
	for range poolOf {
		conn := connection(t, url)
		run(t, conn, "begin")
		all = append(all, conn)
	}
	for _, conn := range all {
		run(t, conn, "rollback")
		closeConn(t.Context(), conn)
	}
}
