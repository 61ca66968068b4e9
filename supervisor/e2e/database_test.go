package e2e_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devguard/devguard/dbguard/pgtest"
	"github.com/devguard/devguard/supervisor/testneed"
)

// dbPassword is the password of the role dev: no output may contain it.
const dbPassword = "s3cr3t-Passw0rd"

// dev is how the app of these tests connects.
var dev = pgtest.Conn{User: "dev", Database: "app"}

// database starts a Postgres with the role dev and its database app, which has
// a table of rows to lock.
func database(t *testing.T, options ...pgtest.Option) *pgtest.Server {
	t.Helper()
	s := pgtest.Start(t, options...)
	s.CreateRole(t, "dev", dbPassword, "")
	s.CreateDB(t, "app", "dev")
	owner := session(t, s.URL(dev))
	must(t, owner, "create table things (id int primary key, n int); insert into things select i, 0 from generate_series(1, 20) i")
	owner.Close(context.Background())
	return s
}

func session(t *testing.T, url string) *pgconn.PgConn {
	t.Helper()
	conn, err := pgconn.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func must(t *testing.T, conn *pgconn.PgConn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql).ReadAll(); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// pgapp copies testdata/apps/pgapp into a new directory, with a devguard.toml
// of these lines.
func pgapp(t *testing.T, config string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/apps/pgapp")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "devguard.toml"), config)
	return dir
}

// pgappBinary builds pgapp once, for tests in which devguard builds nothing.
var pgappBinary = sync.OnceValues(func() (string, error) {
	bin := filepath.Join(scratch, "pgapp")
	cmd := exec.Command("go", "build", "-o", bin, ".")
	cmd.Dir = "testdata/apps/pgapp"
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return bin, nil
})

// runCommand runs pgapp as a command, without building it, in a directory of
// its own: an edit of page.html restarts it.
func runCommand(t *testing.T, config string, env []string, args ...string) (*devguard, string) {
	t.Helper()
	bin, err := pgappBinary()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "page.html"), "restarts the app 0")
	write(t, filepath.Join(dir, "devguard.toml"), config)
	return runApp(t, dir, env, append(args, "--", bin)...), dir
}

// runApp is run with every line devguard has, and the check that the password
// is in none of them nor on a command line.
func runApp(t *testing.T, dir string, env []string, args ...string) *devguard {
	t.Helper()
	var d *devguard
	t.Cleanup(func() {
		if log := d.log(); strings.Contains(log, dbPassword) {
			t.Errorf("the password is in the output:\n%s", log)
		}
	})
	d = run(t, dir, append([]string{"PGCONNECT_TIMEOUT=10"}, env...), append([]string{"-v"}, args...)...)
	return d
}

// says waits until the app has printed text.
func (d *devguard) says(text string) {
	d.t.Helper()
	if !poll(limit, func() bool { return strings.Contains(d.out.String(), text) }) {
		d.t.Fatalf("the app does not print %q\n%s", text, d.log())
	}
	for _, arg := range d.processes() {
		if strings.Contains(arg, dbPassword) {
			d.t.Errorf("the password is on a command line: %s", arg)
		}
	}
}

// restartByPage writes a page of its own for each generation, so that the one after gen is started:
// one file that changes right after each start would be taken for one that the app writes itself.
func restartByPage(t *testing.T, dir string, gen int) {
	t.Helper()
	saveWhole(t, filepath.Join(dir, fmt.Sprintf("page%d.html", gen)), "restarts the app")
}

// ofGen chooses lines of one generation.
func ofGen(gen int) func(line) bool { return func(l line) bool { return l.int("gen") == gen } }

// sessionsOf are the sessions of a role's that are not devguard's: pid and query.
func sessionsOf(t *testing.T, s *pgtest.Server, role string) [][]string {
	t.Helper()
	return s.Query(t, "select pid, query from pg_stat_activity where usename = '"+role+"' and application_name <> 'devguard' order by pid")
}

// awaitQuery waits until n sessions are in a long query and returns their pids.
func awaitQuery(t *testing.T, s *pgtest.Server, n int) []string {
	t.Helper()
	var pids []string
	if !poll(limit, func() bool {
		pids = nil
		for _, row := range s.Query(t, "select pid from pg_stat_activity where state = 'active' and query like '%pg_sleep(600)%' and pid <> pg_backend_pid()") {
			pids = append(pids, row[0])
		}
		return len(pids) >= n
	}) {
		t.Fatalf("%d sessions are in a query, want %d", len(pids), n)
	}
	return pids
}

// plans are the ways in which an app of these tests is stopped: in a query, in
// a transaction with a row lock, idle, with everything a session can keep; found
// by its label and, with a name of its own, by its socket; by SIGTERM and by
// SIGKILL after the grace.
var plans = []string{
	"query tx idle", "named query tx idle", "deaf query tx", "named deaf query temp", "temp tx", "idle idle idle", "named temp idle",
}

// In mode drain, restarts by edits of Go code and of a template: when a generation
// starts, nothing of the one before is left, and a colleague who is the same role
// loses nothing.
func TestRestartsLeaveNothingInTheDatabase(t *testing.T) {
	t.Parallel()
	s := database(t)
	colleague := session(t, s.URL(dev))
	must(t, colleague, "begin; update things set n = 1 where id = 20; prepare mine as select 42")
	dir := pgapp(t, "[app]\ngrace = \"500ms\"\n"+unhurried)
	d := runApp(t, dir, []string{
		"DATABASE_URL=" + s.URL(dev), "PGAPP_PLANS=" + strings.Join(plans, ";"), fmt.Sprintf("PGAPP_SPARE=%d", colleague.PID()),
		// The user's options win: nothing but the drain ends a query here.
		"PGOPTIONS=-c client_connection_check_interval=0",
	}, "--db", "drain")
	const restarts = 14
	var took []int
	for gen := 1; gen <= restarts+1; gen++ {
		plan := plans[gen%len(plans)]
		d.says(fmt.Sprintf("gen=%d found sessions=0 locks=0\n", gen))
		d.says(fmt.Sprintf("gen=%d serves %s\n", gen, plan))
		if strings.Contains(plan, "query") {
			awaitQuery(t, s, 1)
		}
		if gen > restarts {
			break
		}
		if gen%4 == 0 {
			edit(t, filepath.Join(dir, "main.go"), `const version = "v`, `const version = "v`+strconv.Itoa(gen))
		} else {
			restartByPage(t, dir, gen)
		}
		took = append(took, d.drainedOf(gen, plan))
	}
	if colleague.TxStatus() != 'T' {
		t.Error("the colleague's transaction is gone")
	}
	must(t, colleague, "execute mine; update things set n = 2 where id = 20; commit")
	d.stop()
	if left := sessionsOf(t, s, "dev"); len(left) != 1 {
		t.Errorf("sessions after the stop: %v, want the colleague's alone", left)
	}
	slices.Sort(took)
	t.Logf("drain: median %d ms, slowest %d ms, of %d", took[len(took)/2], took[len(took)-1], len(took))
}

// unhurried lets a drain take what it takes on a busy machine.
const unhurried = "[[database]]\ndrain_timeout = \"1m\"\n"

// drainedOf waits for the end of a generation that followed plan, checks what
// is said of it, and returns how long the drain took.
func (d *devguard) drainedOf(gen int, plan string) (ms int) {
	d.t.Helper()
	l := d.wait(0, "drained", ofGen(gen))
	for _, absent := range []string{"cancelled", "rolled_back", "statements", "remaining"} {
		if _, ok := l.Attrs[absent]; ok {
			d.t.Errorf("%s is not known in mode drain: %s", absent, l.Raw)
		}
	}
	if queries := strings.Count(plan, "query"); l.int("left") != 0 || l.int("terminated") < queries || l.int("sessions") < l.int("terminated") || l.int("ms") < 0 {
		d.t.Errorf("plan %q: %s", plan, l.Raw)
	}
	exited := d.wait(0, "instance exited", ofGen(gen))
	want := "SIGTERM"
	if strings.Contains(plan, "deaf") {
		want = "SIGKILL"
	}
	if exited.str("signal") != want {
		d.t.Errorf("plan %q: %s", plan, exited.Raw)
	}
	if n := d.count(0, "drained"); n != gen {
		d.t.Errorf("%d lines drained for %d generations", n, gen)
	}
	return l.int("ms")
}

// A devguard that was killed: the server ends a query of its app soon after, or,
// where the user wants it otherwise, the next devguard does so before it starts
// the app.
func TestKilledDevguardIsSweptInTheDatabase(t *testing.T) {
	t.Parallel()
	s := database(t)
	colleague := session(t, s.URL(dev))
	must(t, colleague, "begin; update things set n = 1 where id = 20")
	bin, err := pgappBinary()
	if err != nil {
		t.Fatal(err)
	}
	dir := pgapp(t, "")
	start := func(env ...string) *devguard {
		env = append(env, "DATABASE_URL="+s.URL(dev), "PGAPP_PLANS=query", fmt.Sprintf("PGAPP_SPARE=%d", colleague.PID()))
		return runApp(t, dir, env, "--name", "x", "--", bin)
	}
	const stays = "PGOPTIONS=-c client_connection_check_interval=0"
	kill := func(d *devguard) (pids []string) {
		d.says("gen=1 found sessions=0 locks=0\n")
		d.says("gen=1 serves query\n")
		pids = awaitQuery(t, s, 1)
		d.cmd.Process.Kill()
		<-d.ended
		d.nothingLeft()
		return pids
	}
	kill(start())
	if s.Version >= 14 && !poll(limit, func() bool { return len(sessionsOf(t, s, "dev")) == 1 }) {
		t.Errorf("left after %v: %v", limit, sessionsOf(t, s, "dev"))
	}
	second := start(stays)
	pids := kill(second)
	if n := second.count(0, "drained"); s.Version >= 14 && n != 0 {
		t.Errorf("%d lines drained, and nothing was left", n)
	}
	if left := awaitQuery(t, s, 1); !slices.Equal(left, pids) {
		t.Fatalf("the query of the killed app is %v, want %v", left, pids)
	}
	d := start(stays)
	d.says("gen=1 found sessions=0 locks=0\n")
	l := d.wait(0, "drained", nil)
	if _, has := l.Attrs["gen"]; has || l.int("terminated") != 1 || l.int("left") != 0 {
		t.Errorf("the sweep: %s", l.Raw)
	}
	if colleague.TxStatus() != 'T' {
		t.Error("the colleague's transaction is gone")
	}
	must(t, colleague, "commit")
}

// An app that dies by itself leaves nothing to the one that is started in its
// place.
func TestCrashLeavesNothingInTheDatabase(t *testing.T) {
	t.Parallel()
	s := database(t)
	d, _ := runCommand(t, "", []string{
		"DATABASE_URL=" + s.URL(dev), "PGAPP_PLANS=query tx", "PGOPTIONS=-c client_connection_check_interval=0",
	})
	d.says("gen=1 serves query tx\n")
	awaitQuery(t, s, 1)
	if err := syscall.Kill(d.wait(0, "instance started", nil).int("pid"), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	d.says("gen=2 found sessions=0 locks=0\n")
	l := d.wait(0, "drained", ofGen(1))
	if l.int("sessions") != 2 || l.int("cancelled") != 1 || l.int("rolled_back") != 2 || l.int("left") != 0 {
		t.Errorf("drained: %s", l.Raw)
	}
}

// A session that does not end is named, counted once, and the next generation
// starts. Such a one with a name of its own is known by its socket: the app's, or
// devguard's where it passes through that.
func TestSessionThatStaysIsNamed(t *testing.T) {
	t.Parallel()
	for _, db := range []string{"auto", "drain"} {
		t.Run(db, func(t *testing.T) {
			s := database(t)
			d, dir := runCommand(t, "[[database]]\ndrain_timeout = \"1s\"\n", []string{"DATABASE_URL=" + s.URL(dev), "PGAPP_PLANS=idle;named query"}, "--db", db)
			d.says("gen=1 serves named query\n")
			pid := awaitQuery(t, s, 1)[0]
			n, _ := strconv.Atoi(pid)
			if err := syscall.Kill(n, syscall.SIGSTOP); err != nil {
				testneed.Skip(t, "root", err)
			}
			defer syscall.Kill(n, syscall.SIGCONT)
			restartByPage(t, dir, 1)
			l := d.wait(0, "drained", ofGen(1))
			text := fmt.Sprint(l.Attrs["remaining"])
			if l.int("left") != 1 || l.int("sessions") != 1 || l.int("terminated") != 1 || l.str("level") != "WARN" || !strings.Contains(text, "pid "+pid) ||
				!strings.Contains(text, "pg_sleep(?)") || !strings.Contains(text, "RowExclusiveLock on things") {
				t.Errorf("drained: %s", l.Raw)
			}
			d.says("gen=2 serves idle\n")
			syscall.Kill(n, syscall.SIGCONT)
			d.stop()
			if l := d.wait(0, "drained", ofGen(2)); l.int("sessions") > 1 || l.int("left") != 0 {
				t.Errorf("drained: %s", l.Raw)
			}
		})
	}
}

// What keeps devguard from the database is one clear line; the app runs.
func TestDatabaseTrouble(t *testing.T) {
	t.Parallel()
	s := database(t)
	s.CreateRole(t, "full", dbPassword, "connection limit 0")
	as := func(change func(*url.URL)) string {
		u, err := url.Parse(s.URL(dev))
		if err != nil {
			t.Fatal(err)
		}
		change(u)
		return u.String()
	}
	for _, c := range []struct{ name, url, reason string }{
		{"down", as(func(u *url.URL) { u.Host = "127.0.0.1:" + freePort(t) }), "nothing listens there"},
		{"wrong password", as(func(u *url.URL) { u.User = url.UserPassword("dev", "x"+dbPassword) }), `the server refuses us: password authentication failed for user "dev" (28P01)`},
		{"unknown host", as(func(u *url.URL) { u.Host = "db.invalid:5432" }), `the host "db.invalid" is not known`},
		{"no such database", as(func(u *url.URL) { u.Path = "/none" }), `the server refuses us: database "none" does not exist (3D000)`},
		{"too many connections", s.URL(pgtest.Conn{User: "full", Database: "app"}), `the server refuses us: too many connections for role "full" (53300)`},
		{"not a URL", "postgres://dev:" + dbPassword + "@127.0.0.1:x/app", "the connection settings are not usable: invalid port"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, dir := runCommand(t, "", []string{"DATABASE_URL=" + c.url, "PGAPP_PLANS=idle"})
			d.says("gen=1 failed: ")
			l := d.wait(0, "database", nil)
			if !strings.Contains(l.str("reason"), c.reason) {
				t.Errorf("the reason is %q, want %q", l.str("reason"), c.reason)
			}
			d.ready()
			restartByPage(t, dir, 1)
			d.wait(0, "instance ready", ofGen(2))
			d.stop()
			if n := d.count(0, "database"); n != 1 {
				t.Errorf("%d lines database, want 1\n%s", n, d.log())
			}
		})
	}
}

// devguard holds no session while nothing is replaced, and none after its end.
func TestDropDatabase(t *testing.T) {
	t.Parallel()
	s := database(t)
	d, dir := runCommand(t, "", []string{"DATABASE_URL=" + s.URL(dev), "PGAPP_PLANS=;idle"})
	d.ready()
	d.wait(0, "database", nil)
	restartByPage(t, dir, 1)
	d.wait(0, "instance ready", ofGen(2)) // this one holds no session
	if !poll(limit, func() bool {
		return len(s.Query(t, "select 1 from pg_stat_activity where datname = 'app'")) == 0
	}) {
		t.Errorf("sessions while nothing is replaced: %v", s.Query(t, "select * from pg_stat_activity where datname = 'app'"))
	}
	s.Exec(t, "drop database app")
	s.CreateDB(t, "app", "dev")
	d.stop()
	s.Exec(t, "drop database app")
}

// Behind a pooler the app's own sessions end with it, by default; in mode drain
// nothing is terminated, which is said. Either way others lose nothing.
func TestPooler(t *testing.T) {
	t.Parallel()
	s := database(t)
	for _, c := range []struct{ pool, db, mode, reason string }{
		{"transaction", "auto", "transaction", "prepared statements are kept on devguard's side of it"},
		{"session", "auto", "session", "a session pooler"},
		{"transaction", "drain", "drain", "devguard terminates none there"},
		{"session", "drain", "drain", "devguard terminates none there"},
	} {
		t.Run(c.pool+"/"+c.db, func(t *testing.T) {
			b := pgtest.PgBouncer(t, s, pgtest.Pool{Mode: c.pool})
			colleague := session(t, b.URL(dev))
			must(t, colleague, "begin; update things set n = n + 1 where id = 20")
			d, dir := runCommand(t, "", []string{"DATABASE_URL=" + b.URL(dev), "PGAPP_PLANS=tx idle"}, "--db", c.db)
			d.says("gen=1 serves tx idle\n")
			l := d.wait(0, "database", nil)
			if l.str("mode") != c.mode || l.str("kind") != c.pool+"-pooler" || !strings.Contains(l.str("reason"), c.reason) {
				t.Errorf("database: %s", l.Raw)
			}
			restartByPage(t, dir, 1)
			d.says("gen=2 serves tx idle\n")
			if strings.Contains(d.out.String(), "check_interval") {
				t.Error("a pooler's client was given PGOPTIONS")
			}
			l = d.wait(0, "drained", ofGen(1))
			ended := c.db == "drain" || l.int("sessions") == 2 && l.int("rolled_back") == 1 && l.int("left") == 0
			if _, has := l.Attrs["terminated"]; has || !ended {
				t.Errorf("drained: %s", l.Raw)
			}
			must(t, colleague, "commit")
		})
	}
}

// What the app is given. In mode drain it is a label unless it has a name, and
// PGOPTIONS in which the user's own come last; by default its environment stays,
// and the sessions have the same.
func TestDatabaseEnvironment(t *testing.T) {
	t.Parallel()
	s := database(t)
	url := "DATABASE_URL=" + s.URL(dev)
	check := "-c client_connection_check_interval=1000"
	if s.Version < 14 {
		testneed.Skip(t, "postgres14", s.Version)
	}
	own := []string{"PGAPPNAME=mine", "PGOPTIONS=-c work_mem=8MB -c client_connection_check_interval=0"}
	for _, c := range []struct {
		name, db string
		env      []string
		mode     string
		env2     string // of generation 2
		named    string // its sessions, as the server sees them
	}{
		{"by default", "auto", nil, "session", `PGAPPNAME="" PGOPTIONS=""`, `:2" check=1s ahead=`},
		{"by default, both set", "auto", own, "session", `PGAPPNAME="mine" PGOPTIONS="-c work_mem=8MB -c client_connection_check_interval=0"`, `is named "mine" check=0 ahead=`},
		{"drain", "drain", nil, "drain", `:2" PGOPTIONS="` + check + `"`, `:2" check=1s ahead=false`},
		{"drain, both set", "drain", own, "drain", `PGAPPNAME="mine" PGOPTIONS="` + check + " -c work_mem=8MB -c client_connection_check_interval=0", `is named "mine" check=0 ahead=false`},
		{"off", "off", nil, "off", `PGAPPNAME="" PGOPTIONS=""`, `is named "" check=0 ahead=false`},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, dir := runCommand(t, "", append(c.env, url, "PGAPP_PLANS=tx"), "--db", c.db)
			d.says("gen=1 serves tx\n")
			if l := d.wait(0, "database", nil); l.str("mode") != c.mode {
				t.Errorf("database: %s", l.Raw)
			}
			restartByPage(t, dir, 1)
			d.says("gen=2 serves tx\n")
			_, out, _ := strings.Cut(d.out.String(), "gen=2 ")
			if !strings.Contains(out, c.env2) || !strings.Contains(out, c.named) {
				t.Errorf("generation 2 says %q", out)
			}
			d.wait(0, "instance started", ofGen(2)) // which comes after the drain
			if want := map[bool]int{true: 0, false: 1}[c.db == "off"]; d.count(0, "drained") != want {
				t.Errorf("%d lines drained, want %d", d.count(0, "drained"), want)
			}
		})
	}
}

// A URL that only .env has is devguard's to use, unless another .env file says
// otherwise; the app is given it only where it leads to devguard.
func TestURLInDotenv(t *testing.T) {
	t.Parallel()
	s := database(t)
	bin, err := pgappBinary()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, db string
		files    map[string]string
		mode     string
		given    string
		says     []string
	}{
		{"alone", "auto", map[string]string{".env.example": "DATABASE_URL=postgres://u:p@h/d\n"}, "session", "DATABASE_URL=true", []string{"reached directly"}},
		{"alone, drain", "drain", map[string]string{".env.example": "DATABASE_URL=postgres://u:p@h/d\n"}, "drain", "DATABASE_URL=false", []string{"reached directly"}},
		{"contradicted", "auto", map[string]string{".env.local": "DATABASE_URL=postgres://u:p@h/d\n"}, "off", "DATABASE_URL=false", []string{".env.local", "env_files = ["}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, ".env"), "DATABASE_URL="+s.URL(dev)+"\n")
			for name, text := range c.files {
				write(t, filepath.Join(dir, name), text)
			}
			d := runApp(t, dir, nil, "--db", c.db, "--", bin)
			d.says(c.given)
			l := d.wait(0, "database", nil)
			if l.str("mode") != c.mode {
				t.Errorf("database: %s", l.Raw)
			}
			for _, text := range c.says {
				if !strings.Contains(l.str("reason"), text) {
					t.Errorf("the reason %q does not say %q", l.str("reason"), text)
				}
			}
		})
	}
}

// TestFirstConnection: an app that connects as soon as it has its URL, while all that is devguard's
// begins, is let in, each time.
func TestFirstConnection(t *testing.T) {
	t.Parallel()
	s := database(t)
	starts := 5
	if *campaign {
		starts = 1000
	}
	for i := range starts {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			if *campaign {
				t.Parallel()
			}
			d, _ := runCommand(t, "", []string{"DATABASE_URL=" + s.URL(dev), "PGAPP_PLANS=idle query tx prepared"})
			d.says("serves")
			if strings.Contains(d.out.String(), "failed") {
				t.Errorf("the app was not let in\n%s", d.log())
			}
			d.stop()
		})
	}
}
