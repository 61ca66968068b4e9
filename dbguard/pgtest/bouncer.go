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
	Settings map[string]string
}

// Bouncer is a PgBouncer before one Server. Its roles are those that the server had when it was
// started, its databases all.
type Bouncer struct {
	Host string // 127.0.0.1
	Port int    // the same over Restart and StartAgain

	server *Server
	bin    string
	ini    string
	log    string
	proc   *daemon
}

// PgBouncer starts a PgBouncer of the test's own before s and stops it when the test ends.
func PgBouncer(t testing.TB, s *Server, pool Pool) *Bouncer {
	t.Helper()
	bin := findPgBouncer()
	if bin == "" {
		testneed.Skip(t, "pgbouncer", "no pgbouncer on PATH or in /usr/sbin")
	}
	dir := s.in.tempDir(t)
	b := &Bouncer{Host: "127.0.0.1", server: s, bin: bin, ini: filepath.Join(dir, "pgbouncer.ini"),
		log: filepath.Join(dir, "pgbouncer.log")}
	b.Port = freePort(t)
	if err := b.configure(dir, pool); err != nil {
		t.Fatalf("configure pgbouncer: %v", err)
	}
	t.Cleanup(func() {
		if b.proc != nil && b.proc.alive() {
			b.proc.stop(t, syscall.SIGTERM)
		}
	})
	b.start(t)
	return b
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
	osproc.EndWithParent(cmd, syscall.SIGTERM)
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

// Stop ends PgBouncer at once (its SIGTERM); StartAgain undoes it.
func (b *Bouncer) Stop(t testing.TB) {
	t.Helper()
	b.proc.stop(t, syscall.SIGTERM)
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
