package e2e_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/devguard/devguard/dbguard/embedded"
	"github.com/devguard/devguard/supervisor/testneed"
)

// privateDatabase is a project with a database of its own, whose hook writes
// the URL that it is given into a file.
const privateDatabase = `
[[database]]
embedded = true

[[hook]]
name = "url"
watch = ["devguard.toml"]
run = "printf %s \"$DATABASE_URL\" > url.txt"
outputs = ["url.txt"]
then = "none"
`

// embeddedProject makes a project that account may use (nil: whoever runs the
// tests). When the test ends, its server has stopped.
func embeddedProject(t *testing.T, config string, account *embedded.Account) string {
	t.Helper()
	server, err := embedded.ServerAccount()
	if err == nil && len(embedded.Find(t.Context(), server, exec.LookPath)) == 0 {
		err = embedded.ErrNoBinaries
	}
	if err != nil {
		testneed.Skip(t, "postgres", err)
	}
	dir, err := os.MkdirTemp("", "devguard-e2e-") // t.TempDir is root's alone
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(dir))
	t.Cleanup(func() {
		serverStops(t, dir)
		os.RemoveAll(dir)
		os.RemoveAll("/var/lib/devguard/" + hex.EncodeToString(sum[:8])) // root's data
	})
	write(t, filepath.Join(dir, "page.html"), "restarts the app 0")
	write(t, filepath.Join(dir, "devguard.toml"), config)
	for _, name := range []string{".", "page.html", "devguard.toml"} {
		if err := account.Own(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// serverStops waits until no guardian holds the server of the project.
func serverStops(t *testing.T, dir string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, ".devguard/embedded/guardian.lock"), os.O_RDWR, 0)
	if err != nil {
		return // there was none
	}
	defer f.Close()
	if !poll(limit, func() bool { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil }) {
		t.Error("the embedded server does not stop")
	}
}

// runPrivate runs pgapp as a command in an embedded project.
func runPrivate(t *testing.T, dir string, account *embedded.Account, env []string, args ...string) *devguard {
	t.Helper()
	bin, err := pgappBinary()
	if err != nil {
		t.Fatal(err)
	}
	if account == nil {
		return run(t, dir, env, append(args, "--", bin)...)
	}
	home := dir + "-home"
	t.Cleanup(func() { os.RemoveAll(home) })
	if out, err := exec.Command("install", "-d", "-o", strconv.Itoa(account.UID), home).CombinedOutput(); err != nil {
		t.Fatalf("install: %v: %s", err, out)
	}
	own := map[string]string{}
	for _, path := range []string{binary(t), bin} {
		own[path] = filepath.Join(home, filepath.Base(path))
		if out, err := exec.Command("install", path, own[path]).CombinedOutput(); err != nil {
			t.Fatalf("install: %v: %s", err, out)
		}
	}
	d := prepare(t, dir, append(env, "HOME="+home, "XDG_CACHE_HOME="), append(args, "--", own[bin])...)
	d.cmd.Path, d.cmd.Args[0] = own[binary(t)], own[binary(t)]
	d.cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(account.UID), Gid: uint32(account.GID)}
	d.start()
	return d
}

// A private server: made at the first start, there in no time at the next ones,
// with its data, for whoever runs devguard; app and hooks are given its URL.
func TestEmbeddedDatabase(t *testing.T) {
	t.Parallel()
	accounts := map[string]*embedded.Account{"ourselves": nil}
	if nobody, err := user.Lookup("nobody"); err == nil && os.Geteuid() == 0 {
		uid, _ := strconv.Atoi(nobody.Uid)
		gid, _ := strconv.Atoi(nobody.Gid)
		accounts["nobody"] = &embedded.Account{Name: "nobody", UID: uid, GID: gid}
	}
	for name, account := range accounts {
		t.Run(name, func(t *testing.T) {
			dir := embeddedProject(t, privateDatabase, account)
			env := []string{"PGAPP_PLANS=idle", "DATABASE_URL=postgres://u:p@elsewhere/d", "PGPORT=1"}
			address := ""
			first, quickest := 0, 1<<30
			for start := range 4 {
				d := runPrivate(t, dir, account, env)
				started := d.wait(0, "embedded Postgres started", nil)
				d.ready()
				u := urlOf(t, dir)
				d.says("gen=1 is connected to " + u.Host + "/app\n")
				conn := session(t, u.String())
				if start == 0 {
					address, first = u.Host, started.int("ms")
					must(t, conn, "create table kept (i int)")
				} else {
					quickest = min(quickest, started.int("ms"))
					must(t, conn, "insert into kept values (1)")
				}
				if u.Host != address {
					t.Errorf("it is at %s, and was at %s", u.Host, address)
				}
				l := d.wait(0, "database", func(l line) bool { return strings.Contains(l.str("reason"), "in place of") })
				if !strings.Contains(l.str("reason"), "in place of DATABASE_URL, PGPORT of the environment") {
					t.Errorf("database: %s", l.Raw)
				}
				t.Logf("start %d: serving after %d ms", start+1, started.int("ms"))
				if code := d.stop(); code != 0 {
					t.Errorf("exit code %d", code)
				}
				serverStops(t, dir)
			}
			if quickest >= first || *campaign && quickest >= 1000 {
				t.Errorf("with its data there, the server serves after %d ms, and without after %d", quickest, first)
			}
		})
	}
}

// urlOf reads the URL that the hook was given.
func urlOf(t *testing.T, dir string) *url.URL {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "url.txt"))
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// Two devguards of one project share a server. It stays while one of them
// lives, and what a killed one left in it is swept; killing both stops it.
func TestEmbeddedDatabaseIsShared(t *testing.T) {
	t.Parallel()
	dir := embeddedProject(t, privateDatabase, nil)
	first := runPrivate(t, dir, nil, []string{"PGAPP_PLANS="}, "--name", "a")
	first.ready()
	u := urlOf(t, dir)
	conn := session(t, u.String())
	must(t, conn, "create table things (id int primary key, n int); insert into things select i, 0 from generate_series(1, 20) i")

	env := []string{
		"PGAPP_PLANS=query", "PGAPP_SPARE=" + strconv.Itoa(int(conn.PID())),
		"PGOPTIONS=-c client_connection_check_interval=0", // the query would end by itself
	}
	killed := runPrivate(t, dir, nil, env, "--name", "b")
	killed.says("gen=1 is connected to " + u.Host + "/app\n")
	killed.says("gen=1 serves query\n")
	if n := killed.count(0, "embedded Postgres started"); n != 0 {
		t.Error("there are two servers")
	}
	killed.cmd.Process.Kill()
	<-killed.ended
	killed.nothingLeft()
	must(t, conn, "select 1")

	second := runPrivate(t, dir, nil, env, "--name", "b")
	second.says("gen=1 found sessions=0 locks=0\n")
	second.says("gen=1 serves query\n")
	if code := first.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	restartByPage(t, dir, 1)
	second.says("gen=2 serves query\n")
	second.cmd.Process.Kill()
	<-second.ended
	serverStops(t, dir)
}
