package guard

import (
	"context"
	"errors"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/devguard/devguard/dbguard/pgtest"
)

// fixedStub is a stub that relays logins to an upstream, and then the bytes.
func fixedStub(t *testing.T, upstream string, o listenerOptions) *stub {
	t.Helper()
	clearPG(t)
	config, err := pgconn.ParseConfig(upstream)
	if err != nil {
		t.Fatal(err)
	}
	config.User, config.Password, config.Database = "nobody", "wrong", "nowhere" // the client's count
	keys := &cancelKeys{}
	o.upstream = config
	o.generation = func(net.Conn) int { return 7 }
	o.serve = func(ctx context.Context, c *client) { splice(ctx, t, keys, c) }
	o.cancel = keys.request
	return tcpStub(t, o)
}

// splice serves a client whose login was relayed.
func splice(ctx context.Context, t *testing.T, keys *cancelKeys, c *client) {
	up := c.upstream
	defer up.conn.Close()
	stop := context.AfterFunc(ctx, func() { c.Close(); up.conn.Close() })
	defer stop()
	key, remove := keys.add(up.pid, c.keySize(), func(ctx context.Context) {
		if err := up.cancel(ctx); err != nil {
			t.Error(err)
		}
	})
	defer remove()
	if c.gen != 7 || up.status["server_version"] == "" {
		t.Errorf("generation %d, status %v", c.gen, up.status)
	}
	if err := c.resume(key); err != nil {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(up.conn, c); up.conn.Close() })
	both.Go(func() { _, _ = io.Copy(c, up.conn); c.Close() })
	both.Wait()
}

// at returns a URL of the stub for a role of a server's.
func (s *stub) at(user, password, database, params string) string {
	return "postgres://" + user + ":" + password + "@" + s.addr().String() + "/" + database + "?" + params
}

// devServer is a server with the role dev and its database app.
func devServer(t *testing.T, options ...pgtest.Option) *pgtest.Server {
	t.Helper()
	s := pgtest.Start(t, options...)
	s.CreateRole(t, "dev", password, "")
	s.CreateDB(t, "app", "dev")
	return s
}

// one returns the only value of a query.
func one(t *testing.T, conn *pgconn.PgConn, sql string) string {
	t.Helper()
	results, err := conn.Exec(t.Context(), sql).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return string(results[0].Rows[0][0])
}

// tryLogins checks what must hold wherever the login is relayed to.
func tryLogins(t *testing.T, s *stub, more ...string) {
	t.Helper()
	for _, params := range append(more, "sslmode=disable", "sslmode=prefer&application_name=me") {
		conn := connection(t, s.at("dev", password, "app", params))
		if got := one(t, conn, "select current_user || ' ' || current_database()"); got != "dev app" {
			t.Errorf("%s: %s", params, got)
		}
		checkCancel(t, conn)
		closeConn(t.Context(), conn)
	}
	for name, tc := range map[string]struct{ url, code string }{
		"wrong password": {s.at("dev", "wrong", "app", "sslmode=disable"), "28P01"},
		"wrong user":     {s.at("other", password, "app", "sslmode=disable"), "28P01"},
	} {
		_, err := pgconn.Connect(t.Context(), tc.url)
		var pg *pgconn.PgError
		if !errors.As(err, &pg) || pg.Code != tc.code && pg.Code != "08P01" { // PgBouncer 1.18 has one code for all
			t.Errorf("%s: %v", name, err)
		}
	}
	psql, err := exec.LookPath("psql")
	if err != nil {
		return
	}
	out, err := exec.CommandContext(t.Context(), psql, "-XAtwc", "select 'as ' || current_user", s.at("dev", password, "app", "")).CombinedOutput()
	if err != nil || string(out) != "as dev\n" {
		t.Errorf("psql: %s", out)
	}
}

func checkCancel(t *testing.T, conn *pgconn.PgConn) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		_, err := conn.Exec(t.Context(), "select pg_sleep(20)").ReadAll()
		done <- err
	}()
	for { // a cancel that comes before the query does nothing, as on a server
		if err := conn.CancelRequest(t.Context()); err != nil {
			t.Error(err)
		}
		select {
		case err := <-done:
			var pg *pgconn.PgError
			if !errors.As(err, &pg) || pg.Code != "57014" {
				t.Errorf("cancelled: %v", err)
			}
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func TestRelayedLogin(t *testing.T) {
	clearPG(t)
	for name, method := range map[string]string{"scram": "scram-sha-256", "md5": "md5", "cleartext": "password"} {
		t.Run(name, func(t *testing.T) {
			options := []pgtest.Option{pgtest.HBA("host all all 127.0.0.1/32 " + method)}
			if name == "md5" {
				options = append(options, pgtest.Set("password_encryption", "md5"))
			}
			server := devServer(t, options...)
			s := fixedStub(t, server.URL(pgtest.Conn{}), listenerOptions{})
			tryLogins(t, s, "sslmode=disable&max_protocol_version=3.2")
			_, err := pgconn.Connect(t.Context(), s.at("dev", password, "none", "sslmode=disable"))
			var pg *pgconn.PgError
			if !errors.As(err, &pg) || pg.Code != "3D000" {
				t.Errorf("a database that does not exist: %v", err)
			}
			s.shut(t)
			eventually(t, "the end of all server sessions", func() bool {
				return len(server.Query(t, "select from pg_stat_activity where usename = 'dev'")) == 0
			})
		})
	}
}

func TestRelayedLoginOverTLS(t *testing.T) {
	clearPG(t)
	server := devServer(t, pgtest.SSL(), pgtest.HBA("hostssl all all 127.0.0.1/32 scram-sha-256", "hostnossl all postgres 127.0.0.1/32 scram-sha-256"))
	for _, params := range []string{"sslmode=verify-full&sslrootcert=" + server.CAFile, "sslmode=require", "sslmode=allow", "sslmode=prefer"} {
		s := fixedStub(t, server.URL(pgtest.Conn{Params: params}), listenerOptions{})
		conn := connection(t, s.at("dev", password, "app", "sslmode=prefer"))
		if got := one(t, conn, "select ssl from pg_stat_ssl where pid = pg_backend_pid()"); got != "t" {
			t.Errorf("%s: TLS %s", params, got)
		}
	}
	s := fixedStub(t, server.URL(pgtest.Conn{Params: "sslmode=verify-full&sslrootcert=" + server.CAFile}), listenerOptions{})
	tryLogins(t, s) // psql would refuse to see SCRAM-SHA-256-PLUS
	s = fixedStub(t, server.URL(pgtest.Conn{Params: "sslmode=disable"}), listenerOptions{})
	if _, err := pgconn.Connect(t.Context(), s.at("dev", password, "app", "sslmode=prefer")); err == nil || !strings.Contains(err.Error(), "no pg_hba.conf entry") {
		t.Errorf("the server's own words: %v", err)
	}
	s = fixedStub(t, server.URL(pgtest.Conn{Params: "sslmode=verify-full"}), listenerOptions{})
	if _, err := pgconn.Connect(t.Context(), s.at("dev", password, "app", "sslmode=prefer")); err == nil || !strings.Contains(err.Error(), "cannot connect to the database server") {
		t.Errorf("an unknown CA: %v", err)
	}
}

func TestRelayedLoginWithoutTLSOnlyAsFallback(t *testing.T) {
	clearPG(t)
	server := devServer(t) // without TLS at all
	s := fixedStub(t, server.URL(pgtest.Conn{Params: "sslmode=prefer"}), listenerOptions{})
	closeConn(t.Context(), connection(t, s.at("dev", password, "app", "sslmode=disable")))
	s = fixedStub(t, server.URL(pgtest.Conn{Params: "sslmode=require"}), listenerOptions{})
	if _, err := pgconn.Connect(t.Context(), s.at("dev", password, "app", "sslmode=disable")); err == nil || !strings.Contains(err.Error(), "08001") {
		t.Errorf("without the TLS that the upstream's URL requires: %v", err)
	}
}

func TestRelayedLoginToSocketAndSeveralHosts(t *testing.T) {
	clearPG(t)
	server := devServer(t, pgtest.Socket(), pgtest.HBA("local all all scram-sha-256", "host all all 127.0.0.1/32 scram-sha-256"))
	port := strconv.Itoa(server.Port)
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, dead, _ := net.SplitHostPort(nobody.Addr().String())
	nobody.Close()
	for _, upstream := range []string{
		"host=" + server.SocketDir + " port=" + port,
		"host=127.0.0.1,127.0.0.1 sslmode=prefer port=" + dead + "," + port,
		"host=" + t.TempDir() + "," + server.SocketDir + " port=" + port,
	} {
		s := fixedStub(t, upstream, listenerOptions{})
		conn := connection(t, s.at("dev", password, "app", "sslmode=disable"))
		checkCancel(t, conn)
		closeConn(t.Context(), conn)
	}
}

func TestRelayedLoginToPgBouncer(t *testing.T) {
	clearPG(t)
	server := devServer(t)
	for _, auth := range []string{"scram-sha-256", "md5", "plain"} {
		bouncer := pgtest.PgBouncer(t, server, pgtest.Pool{Settings: map[string]string{"auth_type": auth}})
		s := fixedStub(t, bouncer.URL(pgtest.Conn{}), listenerOptions{})
		tryLogins(t, s)
	}
}

func TestRelayedLoginNeedsAPassword(t *testing.T) {
	clearPG(t)
	server := devServer(t, pgtest.HBA("host all all 127.0.0.1/32 trust"))
	s := fixedStub(t, server.URL(pgtest.Conn{}), listenerOptions{})
	_, err := pgconn.Connect(t.Context(), s.at("dev", password, "app", "sslmode=disable"))
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Code != "28000" || pg.Severity != "FATAL" || !strings.Contains(pg.Message, "asks for no password") {
		t.Errorf("%v", err)
	}
}

// fakeUpstream answers each connection with bytes, after it has read something,
// and keeps it open.
func fakeUpstream(t *testing.T, answer []byte) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	t.Cleanup(func() { l.Close(); work.Wait() })
	work.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			work.Go(func() {
				defer conn.Close()
				_, _ = conn.Read(make([]byte, 1000))
				_, _ = conn.Write(answer)
				_, _ = io.Copy(io.Discard, conn)
			})
		}
	})
	return "postgres://" + l.Addr().String() + "/app?sslmode=disable"
}

func TestRelayedLoginToWhatIsNoServer(t *testing.T) {
	for name, tc := range map[string]struct{ answer, want string }{
		"HTTP":                     {"HTTP/1.1 400 Bad Request\r\n\r\n", "cannot connect to the database server"},
		"length 3":                 {"R\x00\x00\x00\x03", "cannot connect to the database server"},
		"giant length":             {"R\x7f\xff\xff\xff", "cannot connect to the database server"},
		"no type":                  {"R\x00\x00\x00\x04", "cannot connect to the database server"},
		"GSSAPI":                   {"R\x00\x00\x00\x08\x00\x00\x00\x07", "authentication of type 7"},
		"only bound mechanisms":    {"R\x00\x00\x00\x1c\x00\x00\x00\x0aSCRAM-SHA-256-PLUS\x00\x00", "channel binding"},
		"no mechanism":             {"R\x00\x00\x00\x08\x00\x00\x00\x0a", "channel binding"},
		"ready at once":            {"Z\x00\x00\x00\x05I", "cannot connect to the database server"},
		"an error that cannot be":  {"E\x00\x00\x00\x05\x01", ""},
		"turned away, and no more": {string(encode(&fatal("53300", "sorry, too many clients already").ErrorResponse)), "too many clients already"},
	} {
		t.Run(name, func(t *testing.T) {
			s := fixedStub(t, fakeUpstream(t, []byte(tc.answer)), listenerOptions{})
			_, err := pgconn.Connect(t.Context(), s.at("dev", password, "app", "sslmode=disable"))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestRelayedLoginWhileTheUpstreamIsDown(t *testing.T) {
	clearPG(t)
	server := devServer(t)
	s := fixedStub(t, server.URL(pgtest.Conn{}), listenerOptions{})
	server.Stop(t)
	_, err := pgconn.Connect(t.Context(), s.at("dev", password, "app", "sslmode=disable"))
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Code != "08001" || !strings.Contains(pg.Detail, "refused") {
		t.Errorf("%v", err)
	}
	server.StartAgain(t)
	closeConn(t.Context(), connection(t, s.at("dev", password, "app", "sslmode=disable")))
}

// An upstream that is silent holds up neither close, which the stub checks, nor
// does it make its clients look silent.
func TestRelayedLoginToSilentUpstream(t *testing.T) {
	s := fixedStub(t, fakeUpstream(t, nil), listenerOptions{logins: 2, patience: 50 * time.Millisecond, timeout: 100 * time.Millisecond})
	for range 2 {
		conn := s.dial(t)
		if _, err := conn.Write(startupPacket(3<<16, "user", "a")); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "two logins under way", func() bool { return running("guard.(*relayedLogin).read") == 2 })
	<-time.After(300 * time.Millisecond) // well over every limit of the client's own
	if n := running("guard.(*relayedLogin).read"); n != 2 {
		t.Errorf("%d logins wait for the upstream", n)
	}
}

func TestRelayedLoginOfSilentClient(t *testing.T) {
	clearPG(t)
	server := devServer(t)
	s := fixedStub(t, server.URL(pgtest.Conn{}), listenerOptions{timeout: 100 * time.Millisecond})
	conn := s.dial(t)
	if _, err := conn.Write(startupPacket(3<<16, "user", "dev")); err != nil {
		t.Fatal(err)
	}
	hangsUp(t, conn)
	giant := s.dial(t)
	_, _ = giant.Write(append(startupPacket(3<<16, "user", "dev"), 'p', 0x7f, 0xff, 0xff, 0xff))
	hangsUp(t, giant)
	query := s.dial(t)
	_, _ = query.Write(append(startupPacket(3<<16, "user", "dev"), message('Q', []byte("select 1\x00"))...))
	if _, err := pgproto3.NewFrontend(query, query).Receive(); err != nil {
		t.Error(err)
	}
	hangsUp(t, query)
	eventually(t, "the end of their upstream connections", func() bool {
		return len(server.Query(t, "select from pg_stat_activity where usename = 'dev' or state is null and backend_type = 'client backend'")) == 0
	})
}
