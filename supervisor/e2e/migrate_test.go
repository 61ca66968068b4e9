package e2e_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/devguard/devguard/dbguard/pgtest"
	"github.com/devguard/devguard/supervisor/testneed"
)

// migrations is a hook that migrates; it writes down how it was told to
// connect, without the password. %s is the program that runs the SQL. The
// file's name makes no restart by itself.
const migrations = `
[[hook]]
name = "migrate"
watch = ["migrations/*.txt"]
run = """echo "${DATABASE_URL##*@} $PGOPTIONS" >> told.txt; for f in migrations/*.txt; do %s $f || exit; done"""
then = "none"
migrates = true
`

// migrated makes a project of a server and its migrations, and returns the
// address of its app.
func migrated(t *testing.T, s *pgtest.Server, env ...string) (dir, url string, all []string) {
	t.Helper()
	bin, err := pgappBinary()
	if err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	dir = project(t, map[string]string{
		"main.go":          server,
		"migrations/1.txt": "create table if not exists shelves (id int)",
		"devguard.toml":    fmt.Sprintf(migrations, bin),
	})
	return dir, "http://127.0.0.1:" + port, append([]string{"PORT=" + port, "DATABASE_URL=" + s.URL(dev)}, env...)
}

// columns are those of the table shelves.
func columns(t *testing.T, s *pgtest.Server) string {
	t.Helper()
	conn := session(t, s.URL(dev))
	results, err := conn.Exec(t.Context(), "select string_agg(column_name, ' ' order by column_name) from information_schema.columns where table_name = 'shelves'").ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return string(results[0].Rows[0][0])
}

// A migration that succeeds is followed by a restart, although the program is
// the same; one that fails keeps the process.
func TestMigration(t *testing.T) {
	t.Parallel()
	s := database(t)
	dir, addr, env := migrated(t, s)
	d := runApp(t, dir, env)
	d.serves(addr, "v1")
	d.ready()
	if got := readFile(t, filepath.Join(dir, "told.txt")); !strings.HasSuffix(got, "/app?sslmode=disable -c lock_timeout=10s\n") {
		t.Errorf("the hook was told %q", got)
	}
	mark := d.mark()
	saveWhole(t, filepath.Join(dir, "migrations/2.txt"), "alter table shelves add column if not exists room int")
	d.wait(mark, "instance ready", ofGen(2))
	if got := columns(t, s); got != "id room" {
		t.Errorf("columns %q", got)
	}
	if got := d.counts(mark); got != "hook started 1, build started 1, instance started 1" {
		t.Errorf("a migration: %s", got)
	}

	before := get(addr)
	mark = d.mark()
	saveWhole(t, filepath.Join(dir, "migrations/3.txt"), "alter table shelve add column n int")
	d.wait(mark, "hook failed", nil)
	if !strings.Contains(d.log(), `migrations/3.txt: ERROR: relation "shelve" does not exist`) {
		t.Errorf("why it failed is not shown\n%s", d.log())
	}
	if now := get(addr); now != before {
		t.Errorf("served %q before and %q after", before, now)
	}
	// The next good build owes nothing to a migration that failed.
	write(t, filepath.Join(dir, "main.go"), server+"// the same program\n")
	d.wait(mark, "restart skipped", nil)
	if now := get(addr); now != before {
		t.Errorf("served %q before and %q after", before, now)
	}
}

// A restart that a migration owes waits for the next build that succeeds.
func TestMigrationBesideABrokenBuild(t *testing.T) {
	t.Parallel()
	s := database(t)
	dir, addr, env := migrated(t, s)
	d := runApp(t, dir, env)
	d.serves(addr, "v1")
	d.ready()
	before := get(addr)
	mark := d.mark()
	edit(t, filepath.Join(dir, "main.go"), "func main() {", "func main() { broken")
	d.wait(mark, "build failed", nil)
	mark = d.mark()
	saveWhole(t, filepath.Join(dir, "migrations/2.txt"), "alter table shelves add column if not exists room int")
	d.wait(mark, "build failed", nil)
	if now := get(addr); now != before || columns(t, s) != "id room" {
		t.Errorf("served %q before and %q after; columns %s", before, now, columns(t, s))
	}
	edit(t, filepath.Join(dir, "main.go"), "{ broken", "{")
	d.wait(mark, "instance ready", nil)
	if now := get(addr); now == before || now == "" {
		t.Errorf("served %q before and %q after", before, now)
	}
}

// A migration goes to the server itself while the app goes through the pooler.
func TestMigrationUsesTheDirectURL(t *testing.T) {
	t.Parallel()
	s := database(t)
	b := pgtest.PgBouncer(t, s, pgtest.Pool{Mode: "transaction"})
	dir, addr, _ := migrated(t, s)
	port := strings.TrimPrefix(addr, "http://127.0.0.1:")
	d := runApp(t, dir, []string{"PORT=" + port, "DATABASE_URL=" + b.URL(dev), "DIRECT_URL=" + s.URL(dev)})
	d.serves(addr, "v1")
	want := fmt.Sprintf("127.0.0.1:%d/app?sslmode=disable -c lock_timeout=10s\n", s.Port)
	if got := readFile(t, filepath.Join(dir, "told.txt")); got != want {
		t.Errorf("the hook was told %q, want %q", got, want)
	}
	if got := columns(t, s); got != "id" {
		t.Errorf("columns %q", got)
	}
}

// In mode drain, a migration that a transaction of the app's blocks fails after
// lock_timeout: the app goes on, and is told why. The user's own lock_timeout wins.
func TestMigrationBlockedByTheApp(t *testing.T) {
	t.Parallel()
	s := database(t)
	bin, err := pgappBinary()
	if err != nil {
		t.Fatal(err)
	}
	d, dir := runCommand(t, fmt.Sprintf(migrations, bin)+"[watch]\nexclude = [\"told.txt\"]\n", []string{
		"DATABASE_URL=" + s.URL(dev), "PGAPP_PLANS=tx", "PGOPTIONS=-c lock_timeout=200ms",
	}, "--db", "drain")
	d.says("gen=1 serves tx\n")
	d.ready()
	mark := d.mark()
	saveWhole(t, filepath.Join(dir, "migrations/1.txt"), "alter table things add column room int")
	failed := d.wait(mark, "hook failed", nil)
	if failed.int("serving") != 1 || !strings.Contains(d.log(), "migrations/1.txt: ERROR: canceling statement due to lock timeout (SQLSTATE 55P03)") {
		t.Errorf("%s\n%s", failed.Raw, d.log())
	}
	if got := readFile(t, filepath.Join(dir, "told.txt")); !strings.HasSuffix(got, " -c lock_timeout=10s -c lock_timeout=200ms\n") {
		t.Errorf("the hook was told %q", got)
	}
	if n := d.count(mark, "instance stopping"); n != 0 {
		t.Errorf("the app was stopped\n%s", d.log())
	}
}

// notes waits for a line whose msg holds text.
func (d *devguard) notes(mark int, text string) (found line) {
	d.t.Helper()
	if !poll(limit, func() bool {
		i := slices.IndexFunc(d.since(mark), func(l line) bool { return strings.Contains(l.Msg, text) })
		if i >= 0 {
			found = d.since(mark)[i]
		}
		return i >= 0
	}) {
		d.t.Fatalf("no line says %q\n%s", text, d.log())
	}
	return found
}

// A migration that somebody else's transaction blocks: who that is is said while it
// waits, and what the hint says lets it go on.
func TestMigrationBlockedByAnother(t *testing.T) {
	t.Parallel()
	s := database(t)
	dir, addr, env := migrated(t, s)
	d := runApp(t, dir, env)
	d.serves(addr, "v1")
	d.ready()
	psql := session(t, s.URL(pgtest.Conn{User: "dev", Database: "app", Params: "application_name=psql"}))
	must(t, psql, "begin; update things set n = 4711 where id = 3")
	mark := d.mark()
	saveWhole(t, filepath.Join(dir, "migrations/2.txt"), "alter table things add column room int")
	l := d.notes(mark, "hook migrate waits for a lock that is held by")
	want := fmt.Sprintf("server process %d (dev, psql), idle in transaction for ", psql.PID())
	if !strings.Contains(l.Msg, want) || strings.Contains(l.Msg, "4711") {
		t.Errorf("%s", l.Raw)
	}
	_, sql, found := strings.Cut(l.str("hint"), "in psql: ")
	if !found {
		t.Fatalf("no statement to type: %s", l.Raw)
	}
	must(t, session(t, s.URL(dev)), sql)
	d.wait(mark, "hook finished", nil)
	d.wait(mark, "instance ready", ofGen(2))
}

// A migration through a transaction pooler: it is said, and said no more with the
// DIRECT_URL that the hint asks for.
func TestMigrationThroughAPoolerIsSaid(t *testing.T) {
	t.Parallel()
	s := database(t)
	b := pgtest.PgBouncer(t, s, pgtest.Pool{Mode: "transaction"})
	for name, direct := range map[string]string{"no DIRECT_URL": "", "with it": s.URL(dev)} {
		t.Run(name, func(t *testing.T) {
			dir, addr, env := migrated(t, s)
			env = append(env, "DATABASE_URL="+b.URL(dev))
			if direct != "" {
				env = append(env, "DIRECT_URL="+direct)
			}
			d := runApp(t, dir, env)
			d.serves(addr, "v1")
			d.ready() // the log may lag behind the app
			said := strings.Contains(d.log(), "hooks that migrate go through a transaction pooler, as DIRECT_URL is not set")
			if said != (direct == "") {
				t.Errorf("said: %v\n%s", said, d.log())
			}
			d.stop()
		})
	}
}

// git runs git in dir, as somebody.
func git(t *testing.T, dir string, args ...string) error {
	t.Helper()
	cmd := exec.Command("git", append([]string{
		"-C", dir, "-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false", "-c", "core.editor=true",
	}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("git %v: %w\n%s", args, err, out)
	}
	return nil
}

func mustGit(t *testing.T, dir string, args ...string) {
	t.Helper()
	if err := git(t, dir, args...); err != nil {
		t.Fatal(err)
	}
}

// In the middle of a rebase a migration is held, which is said, while code is
// built and served; it runs by itself when the rebase is over.
func TestMigrationIsHeldDuringARebase(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("git"); err != nil {
		testneed.Skip(t, "git", err)
	}
	s := database(t)
	dir, addr, env := migrated(t, s)
	file := filepath.Join(dir, "migrations/1.txt")
	write(t, filepath.Join(dir, ".gitignore"), "told.txt\n")
	mustGit(t, dir, "init", "-q", "-b", "trunk")
	commit := func(text string) {
		write(t, file, text)
		mustGit(t, dir, "add", ".")
		mustGit(t, dir, "commit", "-q", "-m", "shelves")
	}
	commit("create table if not exists shelves (id int)")
	mustGit(t, dir, "checkout", "-q", "-b", "theirs")
	commit("create table if not exists shelves (id int, theirs int)")
	mustGit(t, dir, "checkout", "-q", "trunk")
	commit("create table if not exists shelves (id int, ours int)")

	d := runApp(t, dir, env)
	d.serves(addr, "v1")
	d.ready()
	mark := d.mark()
	if err := git(t, dir, "rebase", "theirs"); err == nil {
		t.Fatal("the rebase has no conflict")
	}
	held := d.wait(mark, "hook held", nil)
	if held.str("hook") != "migrate" || !strings.Contains(held.str("reason"), "rebase") {
		t.Errorf("%s", held.Raw)
	}
	edit(t, filepath.Join(dir, "main.go"), "v1", "v2")
	d.serves(addr, "v2")
	if n := d.count(mark, "hook started"); n != 0 {
		t.Errorf("a held hook ran\n%s", d.log())
	}
	write(t, file, "alter table shelves add column if not exists merged int")
	mustGit(t, dir, "add", ".")
	mustGit(t, dir, "rebase", "--continue")
	d.wait(mark, "hook finished", nil)
	if got := columns(t, s); got != "id merged ours" {
		t.Errorf("columns %q", got)
	}
	if n := d.count(mark, "hook held"); n != 1 {
		t.Errorf("said %d times that it is held", n)
	}
}

// The SQL of a migration is a file that the app may read: it restarts the app,
// but not while the migration fails.
func TestFailedMigrationOfAnIncludedFile(t *testing.T) {
	t.Parallel()
	s := database(t)
	dir, addr, env := migrated(t, s)
	edit(t, filepath.Join(dir, "devguard.toml"), `["migrations/*.txt"]`, `["migrations/*"]`)
	edit(t, filepath.Join(dir, "devguard.toml"), "in migrations/*.txt", "in migrations/*")
	d := runApp(t, dir, env)
	d.serves(addr, "v1")
	d.ready()
	mark := d.mark()
	saveWhole(t, filepath.Join(dir, "migrations/2.sql"), "alter table shelve add column n int")
	d.wait(mark, "hook failed", nil)
	edit(t, filepath.Join(dir, "main.go"), "v1", "v2")
	d.serves(addr, "v2")
	d.wait(mark, "instance ready", nil)
	if got := d.counts(mark); got != "hook started 1, build started 1, instance started 1" {
		t.Errorf("a failed migration and an edit: %s", got)
	}
}
