package pgtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devguard/devguard/supervisor/osproc"
)

// The superuser of every server, and its password.
const (
	Superuser = "postgres"
	Password  = "pgtest"
)

// What a server is told: immediate shutdown at the end, when the data is thrown away, fast shutdown
// before it is started again.
const (
	stopSignal    = syscall.SIGQUIT
	restartSignal = syscall.SIGINT
)

// Option changes a server before its first start.
type Option func(*Server)

// Set sets one line of the server's configuration, such as max_connections.
func Set(name, value string) Option {
	return func(s *Server) { s.settings = append(s.settings, [2]string{name, value}) }
}

// SSL gives the server a certificate for localhost and 127.0.0.1 of a test CA, whose file is
// Server.CAFile.
func SSL() Option { return func(s *Server) { s.ssl = true } }

// Socket makes the server listen on a Unix socket too, in Server.SocketDir.
func Socket() Option { return func(s *Server) { s.socket = true } }

// HBA replaces pg_hba.conf; without it every login is by SCRAM, over TLS or not.
func HBA(lines ...string) Option { return func(s *Server) { s.hba = lines } }

// Server is one throwaway Postgres. Its methods that take a testing.TB end the test when they fail;
// they are for one goroutine at a time.
type Server struct {
	Host      string // 127.0.0.1
	Port      int    // the same over Restart and StartAgain
	DataDir   string
	CAFile    string // with SSL: PEM of the CA
	SocketDir string // with Socket
	Version   int    // the major version

	in       installation
	settings [][2]string
	hba      []string
	ssl      bool
	socket   bool
	log      string
	proc     *daemon
	roles    map[string]string // passwords by role, for PgBouncer
}

// Start starts a server of the test's own and stops it when the test ends.
func Start(t testing.TB, options ...Option) *Server {
	t.Helper()
	in := postgres(t)
	dir := in.tempDir(t)
	s := &Server{Host: "127.0.0.1", in: in, Version: in.Major, DataDir: filepath.Join(dir, "data"),
		log: filepath.Join(dir, "server.log"), roles: map[string]string{Superuser: Password}}
	for _, o := range options {
		o(s)
	}
	if err := in.newCluster(s.DataDir); err != nil {
		t.Fatalf("make a cluster: %v", err)
	}
	if err := s.configure(dir); err != nil {
		t.Fatalf("configure the server: %v", err)
	}
	t.Cleanup(func() { s.end(t) })
	s.start(t)
	return s
}

// configure writes what is fixed for the server's life; the port is not.
func (s *Server) configure(dir string) error {
	lines := []string{
		"listen_addresses = '127.0.0.1'", "fsync = off", "full_page_writes = off", "jit = off",
		"logging_collector = off", "log_line_prefix = '%m [%p] %a '", "timezone = 'UTC'",
	}
	if s.socket {
		s.SocketDir = dir
	}
	lines = append(lines, fmt.Sprintf("unix_socket_directories = '%s'", s.SocketDir))
	if s.ssl {
		if err := s.certify(dir); err != nil {
			return err
		}
		lines = append(lines, "ssl = on")
	}
	for _, kv := range s.settings {
		lines = append(lines, fmt.Sprintf("%s = '%s'", kv[0], strings.ReplaceAll(kv[1], "'", "''")))
	}
	f, err := os.OpenFile(filepath.Join(s.DataDir, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "\n%s\n", strings.Join(lines, "\n"))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil || len(s.hba) == 0 {
		return err
	}
	return os.WriteFile(filepath.Join(s.DataDir, "pg_hba.conf"), []byte(strings.Join(s.hba, "\n")+"\n"), 0o600)
}

// start starts the server and returns when it answers. On the first start it takes another port
// when somebody took the first one before the server could.
func (s *Server) start(t testing.TB) {
	t.Helper()
	fixed := s.Port != 0
	for {
		if !fixed {
			s.Port = FreePort(t)
		}
		seen := len(s.Log())
		s.launch(t)
		err := s.awaitReady()
		if err == nil {
			return
		}
		s.end(t)
		log := s.Log()[seen:]
		if fixed || !strings.Contains(log, "Address already in use") {
			t.Fatalf("the server did not start: %v\n%s", err, log)
		}
	}
}

func (s *Server) launch(t testing.TB) {
	t.Helper()
	cmd := exec.Command(s.in.Path("postgres"), "-D", s.DataDir, "-p", strconv.Itoa(s.Port))
	cmd.Dir = "/"
	cmd.Env = []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH")}
	s.in.account.Apply(cmd)
	osproc.EndWithParent(cmd, stopSignal)
	var err error
	if s.proc, err = startDaemon(cmd, s.log); err != nil {
		t.Fatalf("start %s: %v", cmd.Path, err)
	}
}

// awaitReady connects until the server accepts a session or has ended.
func (s *Server) awaitReady() error {
	deadline := time.Now().Add(20 * time.Second)
	for {
		conn, err := pgconn.Connect(context.Background(), s.URL(Conn{Params: "connect_timeout=2"}))
		if err == nil {
			return conn.Close(context.Background())
		}
		if time.Now().After(deadline) {
			return err
		}
		select {
		case <-s.proc.done:
			return fmt.Errorf("it exited: %w", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// firstPort and ports make each port that FreePort returns another one.
var (
	firstPort = rand.Uint32N(10000)
	ports     atomic.Uint32
)

// FreePort returns a port of 127.0.0.1 that nobody listens on at this moment. It lies below the range
// from which Linux and macOS take the ports of outgoing connections and of who asks for any: until
// it is used, and between two who use it in turn, nobody else is given it.
func FreePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := int(10000 + (firstPort+ports.Add(1))%10000)
		if l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port)); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

// Conn says whom a URL connects as; the zero Conn is the superuser in the database postgres.
type Conn struct {
	User     string // Password is looked up when the role was made by CreateRole
	Password string
	Database string
	Params   string // more of the query, such as "application_name=a&sslmode=require"
}

// URL returns a postgres:// URL of the server; without an sslmode in Params it says
// sslmode=disable.
func (s *Server) URL(c Conn) string { return buildURL(s.Host, s.Port, s.roles, c) }

func buildURL(host string, port int, roles map[string]string, c Conn) string {
	if c.User == "" {
		c.User = Superuser
	}
	if c.Password == "" {
		c.Password = roles[c.User]
	}
	if c.Database == "" {
		c.Database = "postgres"
	}
	if !strings.Contains(c.Params, "sslmode=") {
		c.Params = strings.TrimSuffix("sslmode=disable&"+c.Params, "&")
	}
	u := url.URL{Scheme: "postgres", User: url.UserPassword(c.User, c.Password),
		Host: net.JoinHostPort(host, strconv.Itoa(port)), Path: "/" + c.Database, RawQuery: c.Params}
	return u.String()
}

// Pid returns the postmaster's process id.
func (s *Server) Pid() int { return s.proc.pid() }

// Log returns what the server has logged so far.
func (s *Server) Log() string {
	b, err := os.ReadFile(s.log)
	if err != nil {
		return ""
	}
	return string(b)
}

// Restart is a fast shutdown (sessions are ended with 57P01) and a start.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Stop(t)
	s.StartAgain(t)
}

// Stop is a fast shutdown; StartAgain undoes it.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	s.proc.stop(t, restartSignal)
}

// StartAgain starts a server that was stopped or killed, on the same port.
func (s *Server) StartAgain(t testing.TB) {
	t.Helper()
	if s.proc.alive() {
		t.Fatal("StartAgain: the server runs")
	}
	s.start(t)
}

// Kill ends the postmaster by SIGKILL, as a crash would, and returns when its sessions have
// noticed: a new server cannot start before that.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	left := s.sessions(t)
	s.proc.stop(t, syscall.SIGKILL)
	for _, pid := range left {
		if p, err := os.FindProcess(pid); err == nil {
			_ = p.Kill() // mostly gone already: they poll for the postmaster
		}
	}
	awaitGone(t, left)
}

// sessions returns the pids of the server's processes except the postmaster. The session that
// answers this is among them: it outlives its client by a moment, and until it is gone it holds the
// shared memory that the next start wants.
func (s *Server) sessions(t testing.TB) []int {
	t.Helper()
	var pids []int
	for _, row := range s.Query(t, "select pid from pg_stat_activity") {
		pid, err := strconv.Atoi(row[0])
		if err != nil {
			t.Fatalf("a pid of pg_stat_activity: %v", err)
		}
		pids = append(pids, pid)
	}
	return pids
}

func awaitGone(t testing.TB, pids []int) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for _, pid := range pids {
		for osproc.Alive(pid) { // a zombie is gone
			if time.Now().After(deadline) {
				t.Fatalf("process %d of the killed server lives on", pid)
			}
			<-time.After(5 * time.Millisecond)
		}
	}
}

func (s *Server) end(t testing.TB) {
	if s.proc != nil && s.proc.alive() {
		s.proc.stop(t, stopSignal)
	}
}

// Exec runs SQL, several statements allowed, as the superuser in the database postgres.
func (s *Server) Exec(t testing.TB, sql string) {
	t.Helper()
	s.Query(t, sql)
}

// Query is Exec that returns the rows of the last statement as text; NULL is "".
func (s *Server) Query(t testing.TB, sql string) [][]string {
	t.Helper()
	return query(t, s.URL(Conn{}), sql)
}

func query(t testing.TB, url, sql string) [][]string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgconn.Connect(ctx, url)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	defer conn.Close(ctx)
	results, err := conn.Exec(ctx, sql).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	var rows [][]string
	if len(results) > 0 {
		for _, r := range results[len(results)-1].Rows {
			row := make([]string, len(r))
			for i, v := range r {
				row[i] = string(v)
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// CreateRole makes a role that may log in; attributes are SQL such as "connection limit 3". A
// PgBouncer started later lets it in.
func (s *Server) CreateRole(t testing.TB, name, password, attributes string) {
	t.Helper()
	s.Exec(t, fmt.Sprintf("create role %s login password '%s' %s", quoteIdent(name), strings.ReplaceAll(password, "'", "''"), attributes))
	s.roles[name] = password
}

// CreateDB makes a database of the owner's; an empty owner is the superuser.
func (s *Server) CreateDB(t testing.TB, name, owner string) {
	t.Helper()
	if owner == "" {
		owner = Superuser
	}
	s.Exec(t, fmt.Sprintf("create database %s owner %s", quoteIdent(name), quoteIdent(owner)))
}

func quoteIdent(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// roleNames returns the known roles in order.
func roleNames(roles map[string]string) []string {
	var names []string
	for name := range roles {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
