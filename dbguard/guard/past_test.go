package guard

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devguard/devguard/dbguard/sockets"
	"github.com/devguard/devguard/supervisor/testneed"
)

// pgxAlone is Options.Imports of a program with pgx.
func pgxAlone() ([]string, bool) { return []string{"github.com/jackc/pgx/v5"}, true }

// TestDatabaseWithoutURL: variables of which each has a part of the address lead the app
// through us together.
func TestDatabaseWithoutURL(t *testing.T) {
	s, dev := server(t)
	config, err := pgconn.ParseConfig(s.URL(dev))
	if err != nil {
		t.Fatal(err)
	}
	parts := []string{"DB_HOST=" + config.Host, fmt.Sprintf("DB_PORT=%d", config.Port), "DB_USER=dev", "DB_PASSWORD=" + password, "DB_NAME=app"}
	g, log := open(t, Options{Databases: auto(Database{}), Imports: pgxAlone})
	env := appEnv(t, g, 1, parts...)
	var dsn strings.Builder
	for _, part := range [][2]string{{"host", "DB_HOST"}, {"port", "DB_PORT"}, {"user", "DB_USER"}, {"password", "DB_PASSWORD"}, {"dbname", "DB_NAME"}} {
		v, _ := get(env, part[1])
		fmt.Fprintf(&dsn, "%s=%s ", part[0], v)
	}
	if strings.Contains(dsn.String(), password) || strings.Contains(dsn.String(), fmt.Sprint(config.Port)) {
		t.Fatal("the app is led past us")
	}
	run(t, connection(t, dsn.String()), "begin; update things set n = 1 where id = 1")
	if line := log.last(t, "database"); line["env"] != "DB_HOST" || line["mode"] != "session" {
		t.Errorf("%v", line)
	}
	g.Drain(t.Context(), 1)
	if line := log.last(t, "drained"); number(line, "rolled_back") != 1 || number(line, "left") != 0 {
		t.Errorf("%v", line)
	}
}

// TestDoubtfulDatabase: what the hint says makes it ours.
func TestDoubtfulDatabase(t *testing.T) {
	s, dev := server(t)
	config, err := pgconn.ParseConfig(s.URL(dev))
	if err != nil {
		t.Fatal(err)
	}
	parts := []string{"DB_HOST=" + config.Host, fmt.Sprintf("DB_PORT=%d", config.Port), "DB_USER=dev", "DB_PASSWORD=" + password, "DB_NAME=app"}
	g, log := open(t, Options{Databases: auto(Database{})})
	if env := appEnv(t, g, 1, parts...); strings.Join(env[:5], " ") != strings.Join(parts, " ") {
		t.Errorf("%q", env)
	}
	line := log.last(t, "database")
	if line["mode"] != "off" || !strings.Contains(fmt.Sprint(line["reason"]), `write url_env = ["DB_HOST"] under [[database]] in devguard.toml`) {
		t.Fatalf("%v", line)
	}
	g, log = open(t, Options{Databases: auto(Database{URLEnv: []string{"DB_HOST"}})})
	if v, _ := get(appEnv(t, g, 1, parts...), "DB_PASSWORD"); v == password {
		t.Error("the app is led past us")
	}
	if line := log.last(t, "database"); line["mode"] != "session" {
		t.Errorf("%v", line)
	}
}

// TestFamilyBeforeTheListing: nothing is said of a database while the program is not known.
func TestFamilyBeforeTheListing(t *testing.T) {
	parts := []string{"DB_HOST=127.0.0.1", "DB_PORT=1", "DB_USER=dev", "DB_PASSWORD=" + password}
	_, log := open(t, Options{Databases: auto(Database{}), Env: parts, Imports: func() ([]string, bool) { return nil, false }})
	if lines := log.lines(t, "database"); len(lines) > 0 {
		t.Errorf("%v", lines)
	}
}

func TestPast(t *testing.T) {
	at := netip.MustParseAddrPort
	conns := []sockets.Conn{
		{Local: at("127.0.0.1:40000"), Remote: at("127.0.0.1:6432")}, // our own fixed address
		{Local: at("127.0.0.1:40001"), Remote: at("10.0.0.1:5432")},
		{Local: at("127.0.0.1:40002"), Remote: at("10.0.0.1:5432")},
		{Local: at("127.0.0.1:5432"), Remote: at("127.0.0.1:40003")}, // a client of the app
		{Local: at("127.0.0.1:40004"), Remote: at("127.0.0.1:6379")},
		{Local: at("127.0.0.1:40005"), Remote: at("10.0.0.2:6543")}, // the app goes there by itself
	}
	got := fmt.Sprint(past(conns, []netip.AddrPort{at("127.0.0.1:6432")}, []uint16{6543}))
	if got != "[10.0.0.1:5432]" {
		t.Errorf("%s", got)
	}
}

// TestPastIsSaid: a connection to a port of Postgres of which no variable speaks.
func TestPastIsSaid(t *testing.T) {
	host := netip.AddrFrom4([4]byte{127, byte(1 + rand.N(254)), byte(rand.N(256)), byte(2 + rand.N(250))})
	l, err := net.Listen("tcp", netip.AddrPortFrom(host, 5433).String())
	if err != nil {
		testneed.Skip(t, "linux", err)
	}
	defer l.Close()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, c := range []struct {
		mode string
		said bool
	}{{"auto", true}, {"off", false}, {"drain", false}} {
		pids := []int{os.Getpid()}
		g, log := open(t, Options{Databases: []Database{{Mode: c.mode}}, Pids: func() (int, []int) { return 1, pids }})
		appEnv(t, g, 1)
		until(t, func() bool {
			return !c.said || log.note(t, "the app holds a connection to "+l.Addr().String()+" that goes past devguard") != nil
		})
		g.RecordSockets(1, pids)
		if n := strings.Count(log.text(), "goes past devguard"); n > 1 || (n == 1) != c.said {
			t.Errorf("mode %s: said %d times", c.mode, n)
		}
	}
}
