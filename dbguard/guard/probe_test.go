package guard

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/devguard/devguard/dbguard/pgtest"
)

func TestProbePoolers(t *testing.T) {
	s, dev := server(t)
	for _, c := range []struct {
		mode, kind string
		size       int
	}{
		{"transaction", "transaction-pooler", 5},
		{"transaction", "transaction-pooler", 1},
		{"session", "session-pooler", 5},
		{"session", "session-pooler", 1},
	} {
		t.Run(fmt.Sprintf("%s of %d", c.mode, c.size), func(t *testing.T) {
			b := pgtest.PgBouncer(t, s, pgtest.Pool{Mode: c.mode, Size: c.size})
			g, log := open(t, Options{Env: []string{"DATABASE_URL=" + b.URL(dev)}})
			begun := time.Now()
			settle(t, g)
			line := log.last(t, "database")
			t.Logf("%v: %v", time.Since(begun), line["reason"])
			if line["kind"] != c.kind || line["mode"] != "drain" || !strings.Contains(line["reason"].(string), "terminates none") {
				t.Errorf("%v", line)
			}
			env := appEnv(t, g, 1, "DATABASE_URL="+b.URL(dev))
			if _, has := get(env, "PGOPTIONS"); has {
				t.Error("PgBouncer refuses options at login")
			}
			assertNoStatements(t, b.URL(dev), c.size)
			a := startApp(t, env, "idle")
			g.RecordSockets(1, []int{a.pid()})
			a.kill()
			before := s.Query(t, "select count(*) from pg_stat_activity where usename = 'dev'")[0][0]
			g.Drain(t.Context(), 1)
			if after := s.Query(t, "select count(*) from pg_stat_activity where usename = 'dev'")[0][0]; after != before {
				t.Errorf("%s sessions of the pooler before, %s after", before, after)
			}
			drained := log.last(t, "drained")
			if _, has := drained["sessions"]; has || number(drained, "gen") != 1 {
				t.Errorf("drained: %v", drained)
			}
		})
	}
}

// TestModeIsSaid: the `database` line names what is done from then on, not what
// was done until the probe.
func TestModeIsSaid(t *testing.T) {
	s, dev := server(t)
	for _, c := range []struct{ pool, mode, reason string }{
		{"transaction", "transaction", rewritten},
		{"session", "session", "pooler"},
		{"", "session", "PostgreSQL"},
	} {
		t.Run(c.pool, func(t *testing.T) {
			url := s.URL(dev)
			if c.pool != "" {
				url = pgtest.PgBouncer(t, s, pgtest.Pool{Mode: c.pool}).URL(dev)
			}
			g, log := open(t, Options{Databases: auto(Database{})})
			appEnv(t, g, 1, "DATABASE_URL="+url)
			if line := log.last(t, "database"); line["mode"] != c.mode || !strings.Contains(line["reason"].(string), c.reason) {
				t.Errorf("%v", line)
			}
		})
	}
}

// assertNoStatements looks for statements of the probe on the servers of a
// pool.
func assertNoStatements(t *testing.T, url string, size int) {
	t.Helper()
	for range size {
		conn := connection(t, url)
		run(t, conn, "begin")
		results, err := conn.Exec(t.Context(), "select name from pg_prepared_statements where name like 'devguard%'").ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if len(results[0].Rows) != 0 {
			t.Errorf("the probe left %s", results[0].Rows)
		}
		closeConn(t.Context(), conn)
	}
}

// forward relays TCP to a server, as a published port of a container does: the
// server does not see the client's own address.
func forward(t *testing.T, to string) net.Addr {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			upstream, err := net.Dial("tcp", to)
			if err != nil {
				client.Close()
				continue
			}
			go func() { io.Copy(upstream, client); upstream.Close() }()
			go func() { io.Copy(client, upstream); client.Close() }()
		}
	}()
	return l.Addr()
}

// Behind a forwarded port only the label is left: the app's session is ended, a
// session by its own name is not seen, and it cannot be.
func TestBehindAForwardedPort(t *testing.T) {
	s, dev := server(t)
	at := forward(t, fmt.Sprintf("%s:%d", s.Host, s.Port))
	url := strings.Replace(s.URL(dev), fmt.Sprintf("%s:%d", s.Host, s.Port), at.String(), 1)
	g, log := open(t, Options{Env: []string{"DATABASE_URL=" + url}})
	settle(t, g)
	line := log.last(t, "database")
	if line["kind"] != "postgres" || !strings.Contains(line["reason"].(string), "by their label alone") {
		t.Fatalf("%v", line)
	}
	stranger := connection(t, url)
	a := startApp(t, appEnv(t, g, 1, "DATABASE_URL="+url), "query")
	g.RecordSockets(1, []int{a.pid(), os.Getpid()}) // its own sockets must not count here
	a.kill()
	g.Drain(t.Context(), 1)
	if line := log.last(t, "drained"); number(line, "terminated") != 1 || number(line, "left") != 0 {
		t.Errorf("drained: %v", line)
	}
	run(t, stranger, "select 1")
}

// With a pooler beside it, a label that came through a translated address
// proves nothing.
func TestALabelBesideAPooler(t *testing.T) {
	s, dev := server(t)
	b := pgtest.PgBouncer(t, s, pgtest.Pool{})
	at := forward(t, fmt.Sprintf("%s:%d", s.Host, s.Port))
	direct := strings.Replace(s.URL(dev), fmt.Sprintf("%s:%d", s.Host, s.Port), at.String(), 1)
	base := []string{"DATABASE_URL=" + b.URL(dev), "DIRECT_URL=" + direct}
	g, log := open(t, Options{Env: base})
	settle(t, g)
	a := startApp(t, appEnv(t, g, 1, base...), "idle")
	g.RecordSockets(1, []int{a.pid()})
	a.kill()
	g.Drain(t.Context(), 1)
	if line := log.last(t, "drained"); number(line, "terminated") > 0 {
		t.Errorf("a session of the pooler was ended: %v", line)
	}
	log.last(t, "bypass")
}

// The same with addresses that are seen as they are: the pooler is alive and
// holds its socket, so its session is not the app's.
func TestALabelOnALivingPoolersSession(t *testing.T) {
	s, dev := server(t)
	b := pgtest.PgBouncer(t, s, pgtest.Pool{})
	base := []string{"DATABASE_URL=" + b.URL(dev), "DIRECT_URL=" + s.URL(dev)}
	g, log := open(t, Options{Env: base})
	settle(t, g)
	a := startApp(t, appEnv(t, g, 1, base...), "idle idle")
	g.RecordSockets(1, []int{a.pid()})
	a.kill()
	g.Drain(t.Context(), 1)
	for _, line := range log.lines(t, "drained") {
		if number(line, "terminated") > 0 {
			t.Errorf("a session of the pooler was ended: %v", line)
		}
	}
	log.last(t, "bypass") // it was seen, under the app's label
}

func TestUnixSocket(t *testing.T) {
	s, _ := server(t, pgtest.Socket())
	url := fmt.Sprintf("postgres://dev:%s@/app?host=%s&port=%d", password, s.SocketDir, s.Port)
	g, log := open(t, Options{Env: []string{"DATABASE_URL=" + url}})
	settle(t, g)
	stranger := connection(t, url)
	a := startApp(t, appEnv(t, g, 1, "DATABASE_URL="+url), "query idle")
	g.RecordSockets(1, []int{a.pid()})
	a.kill()
	g.Drain(t.Context(), 1)
	if line := log.last(t, "drained"); number(line, "terminated") < 1 || number(line, "left") != 0 || number(line, "sessions") < 1 {
		t.Errorf("drained: %v", line)
	}
	run(t, stranger, "select 1")
}

func TestTLSIsUsedAsTheAppUsesIt(t *testing.T) {
	s, dev := server(t, pgtest.SSL())
	base := s.URL(pgtest.Conn{User: "dev", Database: "app", Params: "sslmode=verify-full"})
	for _, c := range []struct{ name, url, kind, reason string }{
		{"with its CA", base + "&sslrootcert=" + s.CAFile, "postgres", "reached directly"},
		{"without", base, "unknown", "certificate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, log := open(t, Options{Env: []string{"DATABASE_URL=" + c.url}})
			settle(t, g)
			line := log.last(t, "database")
			if line["kind"] != c.kind || !strings.Contains(line["reason"].(string), c.reason) {
				t.Errorf("%v", line)
			}
		})
	}
	_ = dev
}

// Whatever is wrong with the database, there is one line, not one a restart,
// and nothing waits or fails.
func TestTrouble(t *testing.T) {
	s, dev := server(t)
	s.Exec(t, "alter role dev connection limit 1")
	garbage, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer garbage.Close()
	go func() {
		for {
			c, err := garbage.Accept()
			if err != nil {
				return
			}
			io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n"+password)
			c.Close()
		}
	}()
	connection(t, s.URL(dev)) // the only one that the role gets
	good := s.URL(dev)
	for _, c := range []struct{ name, url, reason string }{
		{"down", "postgres://dev:" + password + "@127.0.0.1:1/app", "nothing listens"},
		{"no such host", "postgres://dev:" + password + "@no-such-host.invalid/app", "no-such-host.invalid"},
		{"wrong password", strings.Replace(good, password, "wrong"+password, 1), "password authentication failed"},
		{"no TLS there", strings.Replace(good, "sslmode=disable", "sslmode=require", 1), "TLS"},
		{"several hosts", "postgres://dev:" + password + "@127.0.0.1:1,127.0.0.1:2/app", "nothing listens"},
		{"no socket", "postgres://dev:" + password + "@/app?host=/nowhere", "nothing listens"},
		{"full", good, "53300"},
		{"not Postgres", "postgres://dev:" + password + "@" + garbage.Addr().String() + "/app?sslmode=disable", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, log := open(t, Options{Databases: []Database{{DrainTimeout: 2 * time.Second}}})
			for gen := 1; gen <= 3; gen++ {
				appEnv(t, g, gen, "DATABASE_URL="+c.url)
				g.RecordSockets(gen, []int{os.Getpid()})
				awaitDial(t, g)
				g.Drain(t.Context(), gen)
			}
			settle(t, g)
			lines := log.lines(t, "database")
			if len(lines) != 1 || lines[0]["kind"] != "unknown" || !strings.Contains(lines[0]["reason"].(string), c.reason) {
				t.Errorf("%d lines: %v", len(lines), lines)
			}
			t.Log(lines[0]["reason"])
			if strings.Contains(log.text(), password) {
				t.Error("the password is in the log")
			}
		})
	}
}

// A server that comes up later is guarded from then on.
func TestAServerThatComesBack(t *testing.T) {
	s, dev := server(t)
	s.Stop(t)
	g, log := open(t, Options{Env: []string{"DATABASE_URL=" + s.URL(dev)}})
	settle(t, g)
	env := appEnv(t, g, 1, "DATABASE_URL="+s.URL(dev))
	s.StartAgain(t)
	a := startApp(t, env, "query")
	g.RecordSockets(1, []int{a.pid()})
	a.kill()
	g.Drain(t.Context(), 1)
	if line := log.last(t, "drained"); number(line, "terminated") != 1 {
		t.Errorf("drained: %v", line)
	}
	settle(t, g)
	if line := log.last(t, "database"); line["kind"] != "postgres" {
		t.Errorf("%v", line)
	}
	// And one that restarts between the stop signal and the drain.
	a = startApp(t, appEnv(t, g, 2, "DATABASE_URL="+s.URL(dev)), "query")
	g.RecordSockets(2, []int{a.pid()})
	awaitDial(t, g)
	s.Restart(t)
	a.kill()
	g.Drain(t.Context(), 2)
	if line := log.last(t, "drained"); number(line, "gen") != 2 || number(line, "left") != 0 {
		t.Errorf("drained: %v", line)
	}
}

// A URL that nobody named is connected to only when the app is.
func TestOtherURLs(t *testing.T) {
	s, dev := server(t)
	idle, _ := server(t)
	g, log := open(t, Options{})
	env := appEnv(t, g, 1, "REPORTS="+s.URL(dev), "UNUSED="+idle.URL(dev))
	a := startApp(t, append(env, "DATABASE_URL="+s.URL(dev)), "query")
	g.RecordSockets(1, []int{a.pid()})
	a.kill()
	g.Drain(t.Context(), 1)
	lines := log.lines(t, "drained")
	if len(lines) != 1 || number(lines[0], "terminated") != 1 {
		t.Errorf("drained: %v", lines)
	}
	if strings.Contains(log.text(), fmt.Sprint(idle.Port)) {
		t.Errorf("the unused one was reached: %s", log.text())
	}
}

// Close ends a dial that nobody takes.
func TestCloseDuringADial(t *testing.T) {
	deaf, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	g, _ := open(t, Options{Databases: []Database{{DrainTimeout: 100 * time.Millisecond}}})
	if _, err := g.AppEnv(t.Context(), 1, []string{"DATABASE_URL=postgres://u:" + password + "@" + deaf.Addr().String() + "/x"}); err != nil {
		t.Fatal(err)
	}
	g.RecordSockets(1, nil)
	begun := time.Now()
	g.Drain(t.Context(), 1)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := g.Close(ctx); err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took > 4*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestMajor(t *testing.T) {
	for version, want := range map[string]int{
		"15.18 (Debian 15.18-0+deb12u1)": 15, "19devel": 19, "18beta1": 18, "PostgreSQL 14.2": 14, "": 0, "unknown": 0,
	} {
		if got := major(version); got != want {
			t.Errorf("%q: %d, want %d", version, got, want)
		}
	}
}
