package dbguard

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/devguard/devguard/dbguard/pgtest"
	"github.com/jackc/pgx/v5"
)

// shopDir is the app that holds the library here: the sample service.
const shopDir = "../testdata/shop"

func TestShop(t *testing.T) {
	bin := buildShop(t)
	t.Run("under load", func(t *testing.T) { testShopUnderLoad(t, bin) })
	t.Run("finishes its requests", func(t *testing.T) { testShopFinishes(t, bin) })
}

// testShopUnderLoad: the shop, a process of its own, gets 200 requests a second behind PgBouncer in transaction
// mode, with nothing of devguard in front of it. Its pool is reset every second,
// Postgres is restarted and the pooler is killed. It must not end, every answer must
// be right, or a 503 that says truly whether something was stored.
func testShopUnderLoad(t *testing.T, bin string) {
	rounds := 1
	if *campaign {
		rounds = 7 // a minute
	}
	s := pgtest.Start(t)
	// Without server_login_retry PgBouncer makes everybody wait for 15 s once a server
	// has refused it.
	b := pgtest.PgBouncer(t, s, pgtest.Pool{Settings: map[string]string{"server_login_retry": "1"}})
	app := startShop(t, bin, s, b)
	l := newLoad(app.url)
	running, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { l.run(running) })
	wg.Go(func() { l.resets(running) })
	defer wg.Wait()
	defer stop() // when the test has failed on the way
	for range rounds {
		l.lasts(t, 3*time.Second)
		s.Restart(t)
		l.lasts(t, 3*time.Second)
		b.Kill(t)
		b.StartAgain(t)
		l.lasts(t, 3*time.Second)
	}
	stop()
	wg.Wait()
	l.recovers(t)
	app.stop(t)
	until(t, s, "0", "select count(*) from pg_stat_activity where backend_type = 'client backend' and state <> 'idle' and pid <> pg_backend_pid()")
	l.judge(t, s)
	if log := app.log.String(); strings.Contains(log, "panic") || strings.Contains(log, "DATA RACE") {
		t.Errorf("the shop's log:\n%.5000s", log)
	}
	if *campaign {
		t.Logf("what the shop said, by kind: %v", kinds(app.log.String()))
	}
}

// testShopFinishes tells the shop to stop while a page is in its first query
// of two: it gets the connection for its second.
func testShopFinishes(t *testing.T, bin string) {
	s := pgtest.Start(t)
	app := startShop(t, bin, s, pgtest.PgBouncer(t, s, pgtest.Pool{}))
	ctx := testContext(t)
	other, err := pgx.Connect(ctx, s.URL(pgtest.Conn{}))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close(ctx)
	mustExec(t, other, "begin", pgx.QueryExecModeSimpleProtocol)
	mustExec(t, other, "lock table users", pgx.QueryExecModeSimpleProtocol)
	l, page := newLoad(app.url), make(chan string, 1)
	go func() {
		resp, body, err := l.do(ctx, "GET", "/", "")
		if err != nil {
			page <- err.Error()
			return
		}
		page <- resp.Status + " " + string(body)
	}()
	until(t, s, "1", "select count(*) from pg_stat_activity where wait_event_type = 'Lock'")
	app.terminate(t)
	for { // until nobody is let in any more
		conn, err := net.Dial("tcp", strings.TrimPrefix(app.url, "http://"))
		if err != nil {
			break
		}
		conn.Close()
	}
	mustExec(t, other, "rollback", pgx.QueryExecModeSimpleProtocol)
	if got := <-page; !strings.HasPrefix(got, "200 OK") || !strings.Contains(got, "Analytical Engine") {
		t.Errorf("the page in flight: %.300s", got)
	}
	app.ends(t)
}

// shopProcess is the shop as it runs.
type shopProcess struct {
	url   string
	log   *logged
	cmd   *exec.Cmd
	ended chan error
}

// slowCommit has each write wait inside of COMMIT, so that a restart or a kill meets
// some there.
const slowCommit = `
create function wait() returns trigger language plpgsql as 'begin perform pg_sleep(0.02); return null; end';
create constraint trigger wait after insert on models deferrable initially deferred for each row execute function wait();
create constraint trigger wait after insert on decisions deferrable initially deferred for each row execute function wait()`

// buildShop builds the shop and its migrations into a directory.
func buildShop(t *testing.T) string {
	bin := t.TempDir() + string(filepath.Separator)
	args := []string{"build", "-o", bin, "./cmd/shop", "./cmd/migrate"}
	if raceEnabled() {
		args = slices.Insert(args, 1, "-race")
	}
	inShop(t, os.Environ(), "go", args...)
	return bin
}

// inShop runs a program in the shop's directory.
func inShop(t *testing.T, env []string, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = shopDir, env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// startShop migrates the database and runs the shop behind the pooler.
func startShop(t *testing.T, bin string, s *pgtest.Server, b *pgtest.Bouncer) *shopProcess {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return strings.HasPrefix(name, "PG") || strings.HasSuffix(name, "DATABASE_URL") || name == "DIRECT_URL" || name == "HOST"
	})
	inShop(t, append(env, "DATABASE_URL="+s.URL(pgtest.Conn{})), bin+"migrate")
	s.Exec(t, slowCommit)
	p := &shopProcess{log: &logged{}, cmd: exec.Command(bin + "shop"), ended: make(chan error, 1)}
	p.cmd.Dir = shopDir
	p.cmd.Env = append(env, "GORACE=atexit_sleep_ms=0", "DEVGUARD=1", "PORT=0", "DATABASE_URL="+b.URL(pgtest.Conn{}))
	p.start(t)
	if !strings.Contains(p.log.String(), `exec_mode="cache describe"`) || !strings.Contains(p.log.String(), "kind=transaction-pooler") {
		t.Errorf("the pool was opened otherwise:\n%s", p.log)
	}
	return p
}

// start starts the shop and waits until it says where it is.
func (p *shopProcess) start(t *testing.T) {
	r, w := io.Pipe()
	p.cmd.Stderr = w
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // when the test has failed on the way
		<-p.ended
	})
	open, read := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(read)
		lines := bufio.NewScanner(r)
		where := regexp.MustCompile(`msg="shop is open" url=(\S+)`)
		for lines.Scan() {
			fmt.Fprintln(p.log, lines.Text())
			if m := where.FindStringSubmatch(lines.Text()); m != nil {
				open <- m[1]
			}
		}
		_, _ = io.Copy(io.Discard, r) // a line too long for the scanner
	}()
	go func() {
		err := p.cmd.Wait()
		w.Close()
		<-read
		p.ended <- err
		close(p.ended)
	}()
	select {
	case p.url = <-open:
	case <-p.ended:
		t.Fatalf("the shop ended:\n%s", p.log)
	case <-time.After(patience):
		t.Fatalf("the shop does not open:\n%s", p.log)
	}
}

// stop sees that the shop still runs, and that it ends as it should.
func (p *shopProcess) stop(t *testing.T) {
	t.Helper()
	select {
	case err := <-p.ended:
		t.Fatalf("the shop has ended: %v\n%.5000s", err, p.log)
	default:
	}
	p.terminate(t)
	p.ends(t)
}

func (p *shopProcess) terminate(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
}

func (p *shopProcess) ends(t *testing.T) {
	t.Helper()
	select {
	case err := <-p.ended:
		if err != nil {
			t.Errorf("the shop, told to stop: %v\n%.5000s", err, p.log)
		}
	case <-time.After(patience):
		t.Errorf("the shop does not stop:\n%.5000s", p.log)
	}
}

func raceEnabled() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// kinds counts the lines of a log by their message.
func kinds(log string) map[string]int {
	n := map[string]int{}
	for _, m := range regexp.MustCompile(`msg=("[^"]*"|\S+)`).FindAllStringSubmatch(log, -1) {
		n[m[1]]++
	}
	return n
}

// unavailable is the body of a 503 of the shop's.
type unavailable struct {
	Error string
	Done  string
}

// documented reports whether a 503 says what the shop's documentation has it say, and
// what it says of having stored something.
func documented(resp *http.Response, body []byte) (done string, ok bool) {
	var u unavailable
	dec := json.NewDecoder(strings.NewReader(string(body)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&u); err != nil {
		return "", false
	}
	return u.Done, u.Error != "" && (u.Done == "no" || u.Done == "unknown") && resp.Header.Get("Retry-After") == "1"
}
