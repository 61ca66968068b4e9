package e2e_test

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// freeAddress returns a loopback address that nobody has: where all of 127.0.0.0/8 is
// this machine's, one that others do not get who ask for any port.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.86.6.1:0")
	if err != nil {
		return "127.0.0.1:" + freePort(t)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestEditsKeepTheFixedAddress of a database: one that is about the database, although the
// generation before takes more than 10 s to stop, and one that is not, which does not
// even disturb who is served there.
func TestEditsKeepTheFixedAddress(t *testing.T) {
	s := database(t)
	address := freeAddress(t)
	at := strings.Replace(s.URL(dev), fmt.Sprintf("%s:%d", s.Host, s.Port), address, 1)
	dir := t.TempDir()
	toml := filepath.Join(dir, "devguard.toml")
	config := func(grace, drain string) string {
		return fmt.Sprintf(`[app]
command = ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"]
grace = %q
[[database]]
listen = %q
drain_timeout = %q
`, grace, address, drain)
	}
	write(t, toml, config("11s", "2s"))
	d := runApp(t, dir, []string{"DATABASE_URL=" + s.URL(dev)})
	d.ready()
	must(t, session(t, at), "select 1")

	saveWhole(t, toml, config("100ms", "3s"))
	stopping := d.wait(0, "instance stopping", ofGen(1))
	exited := d.wait(0, "instance exited", ofGen(1))
	if took := exited.when(t).Sub(stopping.when(t)); took.Seconds() < 11 {
		t.Errorf("generation 1 has stopped after %v, and was to take 11 s", took)
	}
	d.wait(0, "instance ready", ofGen(2))
	var conn *pgconn.PgConn
	if !poll(limit, func() bool {
		var err error
		conn, err = pgconn.Connect(t.Context(), at)
		return err == nil
	}) {
		t.Fatalf("the address is lost\n%s", d.log())
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	must(t, conn, "create temporary table mine (n int)")

	saveWhole(t, toml, config("200ms", "3s"))
	d.wait(0, "instance ready", ofGen(3))
	must(t, conn, "insert into mine values (1)")
	must(t, session(t, at), "select 1")
}
