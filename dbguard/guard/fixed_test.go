package guard

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devguard/devguard/dbguard/pgtest"
)

// freeAddress returns a loopback address that nobody has, nor is going to: where all
// of 127.0.0.0/8 is this machine's, others that ask for any port get one of 127.0.0.1.
func freeAddress(t *testing.T) string {
	t.Helper()
	host := netip.AddrFrom4([4]byte{127, byte(1 + rand.N(254)), byte(rand.N(256)), byte(1 + rand.N(254))})
	l, err := net.Listen("tcp", netip.AddrPortFrom(host, 0).String())
	if err != nil {
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestFixedAddress: who holds the other end decides whose session it is. The app's
// ends with its generation, a stranger's does not.
func TestFixedAddress(t *testing.T) {
	s, dev := server(t)
	address := freeAddress(t)
	gen, pids := 1, []int{os.Getpid()}
	g, log := open(t, Options{
		Databases: auto(Database{Listen: address}),
		Pids:      func() (int, []int) { return gen, pids },
	})
	through(t, g, 1, s.URL(dev))
	url := strings.Replace(s.URL(dev), fmt.Sprintf("%s:%d", s.Host, s.Port), address, 1)
	mine := connection(t, url)
	run(t, mine, "begin; update things set n = 9 where id = 1")
	keeper := connection(t, s.URL(pgtest.Conn{Database: "app"}))
	run(t, keeper, "select pg_advisory_lock(1)")
	stranger := exec.Command("psql", "-qAt", url, "-c", "select pg_advisory_lock(1)", "-c", "select 'served'")
	var said strings.Builder
	stranger.Stdout, stranger.Stderr = &said, &said
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return sessionsOf(t, s) == "2" })
	kill(mine)
	g.Drain(t.Context(), 1)
	if n := sessionsOf(t, s); n != "1" {
		t.Errorf("%s sessions are left, want the stranger's", n)
	}
	run(t, keeper, "select pg_advisory_unlock(1)")
	if line := log.last(t, "drained"); number(line, "sessions") != 1 || number(line, "rolled_back") != 1 {
		t.Errorf("%v", line)
	}
	if err := stranger.Wait(); err != nil || !strings.Contains(said.String(), "served") {
		t.Errorf("the stranger: %v, %s", err, said.String())
	}
	if lines := log.lines(t, "bypass"); len(lines) != 1 || lines[0]["application_name"] != "psql" {
		t.Errorf("%v", lines)
	}
}

// TestFixedAddressIsChecked by the server: a wrong password gets nobody in.
func TestFixedAddressIsChecked(t *testing.T) {
	s, dev := server(t)
	address := freeAddress(t)
	g, _ := open(t, Options{Databases: auto(Database{Listen: address})})
	through(t, g, 1, s.URL(dev))
	url := strings.Replace(s.URL(dev), fmt.Sprintf("%s:%d", s.Host, s.Port), address, 1)
	_, err := pgconn.Connect(t.Context(), strings.Replace(url, password, "wrong", 1))
	if err == nil || !strings.Contains(err.Error(), "28P01") {
		t.Errorf("%v", err)
	}
}

// TestFixedAddressWithoutTLS: a client that insists on TLS leaves, which is said once; as
// the hint says it gets in, and the server is reached over TLS.
func TestFixedAddressWithoutTLS(t *testing.T) {
	s, dev := server(t, pgtest.SSL())
	address := freeAddress(t)
	g, log := open(t, Options{Databases: auto(Database{Listen: address})})
	through(t, g, 1, withMode(s.URL(dev), "require"))
	url := strings.Replace(s.URL(dev), fmt.Sprintf("%s:%d", s.Host, s.Port), address, 1)
	for _, mode := range []string{"require", "require", "prefer"} {
		out, err := exec.Command("psql", "-qAt", withMode(url, mode), "-c", "select 1").CombinedOutput()
		if (err == nil) != (mode == "prefer") {
			t.Errorf("sslmode=%s: %v, %s", mode, err, out)
		}
	}
	lines := log.saying(t, func(msg string) bool { return strings.Contains(msg, "a client that wants TLS has left "+address) })
	if len(lines) != 1 {
		t.Fatalf("%d lines:\n%s", len(lines), log.text())
	}
	hint, _ := lines[0]["hint"].(string)
	_, mode, _ := strings.Cut(strings.Fields(hint)[1], "sslmode=")
	ask := "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
	if out, err := exec.Command("psql", "-qAt", withMode(url, mode), "-c", ask).CombinedOutput(); err != nil || string(out) != "t\n" {
		t.Errorf("as the hint says: %v, %s", err, out)
	}
}

// withMode returns a URL with another sslmode.
func withMode(conn, mode string) string {
	u, _ := url.Parse(conn)
	q := u.Query()
	q.Set("sslmode", mode)
	u.RawQuery = q.Encode()
	return u.String()
}

// TestPauseOfWhoComesMeanwhile: a fixed address lets a client in during a pause, and
// the client waits with its first query.
func TestPauseOfWhoComesMeanwhile(t *testing.T) {
	s, dev := server(t)
	address := freeAddress(t)
	g, _ := open(t, Options{
		Databases: auto(Database{Listen: address}),
		Pids:      func() (int, []int) { return 1, []int{os.Getpid()} },
	})
	through(t, g, 1, s.URL(dev))
	resume := g.Pause(t.Context(), "migrate", nil)
	conn := connection(t, strings.Replace(s.URL(dev), fmt.Sprintf("%s:%d", s.Host, s.Port), address, 1))
	answered := make(chan error, 1)
	go func() {
		_, err := conn.Exec(context.WithoutCancel(t.Context()), "select 1").ReadAll()
		answered <- err
	}()
	select {
	case err := <-answered:
		t.Errorf("it is answered during the migration (%v)", err)
		resume(false)
		return
	case <-time.After(100 * time.Millisecond):
	}
	resume(false)
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// TestNoticesOfTheLogin reach the client, however it was let in.
func TestNoticesOfTheLogin(t *testing.T) {
	s, dev := server(t)
	address := freeAddress(t)
	g, _ := open(t, Options{Databases: auto(Database{Listen: address})})
	direct := s.URL(dev)
	led := through(t, g, 1, direct)
	for name, url := range map[string]string{
		"direct": direct, "through us": led,
		"relayed": strings.Replace(direct, fmt.Sprintf("%s:%d", s.Host, s.Port), address, 1),
	} {
		config, err := pgconn.ParseConfig(url)
		if err != nil {
			t.Fatal(err)
		}
		config.RuntimeParams["options"] = "-c client_min_messages=debug5"
		heard := 0
		config.OnNotice = func(*pgconn.PgConn, *pgconn.Notice) { heard++ }
		conn, err := pgconn.ConnectConfig(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		if heard == 0 {
			t.Errorf("%s: no notice", name)
		}
		closeConn(t.Context(), conn)
	}
}
