package pgtest

import (
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/osproc"
	"github.com/devguard/devguard/supervisor/testneed"
)

// Pool configures a PgBouncer.
type Pool struct {
	Mode     string // session, transaction (default) or statement
	Size     int    // default_pool_size; 0 is 5
	Tracks   bool   // named statements follow their client, as PgBouncer can from 1.21 on; otherwise they do not
	Settings map[string]string
}

// Bouncer is a PgBouncer before one Server. Its roles are those that the server had when it was
// started, its databases all.
type Bouncer struct {
	Host string // 127.0.0.1
	Port int    // the same over Restart and StartAgain

	server *Server
	bin    string
	minor  int // of its version: 18 of 1.18.0
	ini    string
	log    string
	proc   *daemon
}

// What is new in a minor version of PgBouncer.
const (
	tracks = 21 // max_prepared_statements, which is on by default from 1.24 on
	waits  = 23 // SIGTERM waits until the clients have gone; before, it ended PgBouncer at once
)

// PgBouncer starts a PgBouncer of the test's own before s and stops it when the test ends.
func PgBouncer(t testing.TB, s *Server, pool Pool) *Bouncer {
	t.Helper()
	bin := findPgBouncer()
	if bin == "" {
		testneed.Skip(t, "pgbouncer", "no pgbouncer on PATH or in /usr/sbin")
	}
	minor, err := minorOf(bin)
	if err != nil {
		t.Fatal(err)
	}
	if pool.Tracks && minor < tracks {
		testneed.Skip(t, "pgbouncer1.21", fmt.Sprintf("%s is 1.%d", bin, minor))
	}
	dir := s.in.tempDir(t)
	b := &Bouncer{Host: "127.0.0.1", server: s, bin: bin, minor: minor, ini: filepath.Join(dir, "pgbouncer.ini"),
		log: filepath.Join(dir, "pgbouncer.log")}
	b.Port = FreePort(t)
	if err := b.configure(dir, pool); err != nil {
		t.Fatalf("configure pgbouncer: %v", err)
	}
	t.Cleanup(func() {
		if b.proc != nil && b.proc.alive() {
			b.Stop(t)
		}
	})
	b.start(t)
	return b
}

// minorOf asks a PgBouncer for its version, such as "PgBouncer 1.18.0".
func minorOf(bin string) (minor int, err error) {
	out, err := exec.Command(bin, "--version").Output()
	if err != nil {
		return 0, fmt.Errorf("ask %s for its version: %w", bin, err)
	}
	if _, err := fmt.Sscanf(string(out), "PgBouncer 1.%d.", &minor); err != nil {
		return 0, fmt.Errorf("the version of %s, %.40q: %w", bin, out, err)
	}
	return minor, nil
}

func findPgBouncer() string {
	for _, name := range []string{"pgbouncer", "/usr/sbin/pgbouncer", "/opt/homebrew/bin/pgbouncer"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

func (b *Bouncer) configure(dir string, pool Pool) error {
	settings := map[string]string{
		"listen_addr": "127.0.0.1", "listen_port": strconv.Itoa(b.Port), "unix_socket_dir": "",
		"auth_type": "scram-sha-256", "auth_file": filepath.Join(dir, "users.txt"),
		"pool_mode": "transaction", "default_pool_size": "5", "max_client_conn": "200",
		"admin_users": Superuser, "server_tls_sslmode": "disable",
	}
	if pool.Mode != "" {
		settings["pool_mode"] = pool.Mode
	}
	if pool.Size != 0 {
		settings["default_pool_size"] = strconv.Itoa(pool.Size)
	}
	switch {
	case pool.Tracks:
		settings["max_prepared_statements"] = "200" // the default from 1.24 on
	case b.minor >= tracks:
		settings["max_prepared_statements"] = "0"
	}
	maps.Copy(settings, pool.Settings)
	var ini, users strings.Builder
	fmt.Fprintf(&ini, "[databases]\n* = host=%s port=%d\n[pgbouncer]\n", b.server.Host, b.server.Port)
	for k, v := range settings {
		fmt.Fprintf(&ini, "%s = %s\n", k, v)
	}
	for _, name := range roleNames(b.server.roles) {
		fmt.Fprintf(&users, "\"%s\" \"%s\"\n", double(name), double(b.server.roles[name]))
	}
	for path, text := range map[string]string{b.ini: ini.String(), settings["auth_file"]: users.String()} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
		if err := b.server.in.account.Own(path); err != nil {
			return err
		}
	}
	return nil
}

// double doubles the quotes in s, as PgBouncer reads them.
func double(s string) string { return strings.ReplaceAll(s, `"`, `""`) }

func (b *Bouncer) start(t testing.TB) {
	t.Helper()
	cmd := exec.Command(b.bin, b.ini)
	cmd.Dir = "/"
	b.server.in.account.Apply(cmd)
	osproc.EndWithParent(cmd, b.atOnce())
	var err error
	if b.proc, err = startDaemon(cmd, b.log); err != nil {
		t.Fatalf("start pgbouncer: %v", err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		conn, err := net.DialTimeout("tcp", net.JoinHostPort(b.Host, strconv.Itoa(b.Port)), time.Second)
		if err == nil {
			conn.Close()
			return
		}
		if !b.proc.alive() || time.Now().After(deadline) {
			t.Fatalf("pgbouncer did not start: %v\n%s", err, b.Log())
		}
		<-time.After(5 * time.Millisecond)
	}
}

// URL returns a URL of the pooler, as Server.URL does of the server.
func (b *Bouncer) URL(c Conn) string { return buildURL(b.Host, b.Port, b.server.roles, c) }

// Admin runs a command of PgBouncer's console, such as SHOW POOLS, and returns its rows.
func (b *Bouncer) Admin(t testing.TB, command string) [][]string {
	t.Helper()
	return query(t, b.URL(Conn{Database: "pgbouncer"}), command)
}

// Pid returns PgBouncer's process id.
func (b *Bouncer) Pid() int { return b.proc.pid() }

// Log returns what PgBouncer has logged so far.
func (b *Bouncer) Log() string {
	out, err := os.ReadFile(b.log)
	if err != nil {
		return ""
	}
	return string(out)
}

// Stop ends PgBouncer at once, with its clients; StartAgain undoes it.
func (b *Bouncer) Stop(t testing.TB) {
	t.Helper()
	b.proc.stop(t, b.atOnce())
}

// atOnce is the signal on which PgBouncer ends without waiting for anybody. Before 1.23 SIGQUIT
// had no handler.
func (b *Bouncer) atOnce() syscall.Signal {
	if b.minor < waits {
		return syscall.SIGTERM
	}
	return syscall.SIGQUIT
}

// Kill ends PgBouncer by SIGKILL.
func (b *Bouncer) Kill(t testing.TB) {
	t.Helper()
	b.proc.stop(t, syscall.SIGKILL)
}

// StartAgain starts a PgBouncer that was stopped or killed, on the same port.
func (b *Bouncer) StartAgain(t testing.TB) {
	t.Helper()
	if b.proc.alive() {
		t.Fatal("StartAgain: pgbouncer runs")
	}
	b.start(t)
}

// Restart is Stop and StartAgain: every client is disconnected.
func (b *Bouncer) Restart(t testing.TB) {
	t.Helper()
	b.Stop(t)
	b.StartAgain(t)
}
