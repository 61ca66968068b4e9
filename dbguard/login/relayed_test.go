package login

import (
	"context"
	"errors"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/devguard/devguard/dbguard/pgtest"
)

// relayedStub is a stub that relays logins to an upstream, and then the bytes.
func relayedStub(t *testing.T, upstream string, o Options, edits ...func(*pgconn.Config)) *stub {
	t.Helper()
	clearPG(t)
	config, err := pgconn.ParseConfig(upstream)
	if err != nil {
		t.Fatal(err)
	}
	config.User, config.Password, config.Database = "nobody", "wrong", "nowhere" // the client's count
	for _, edit := range edits {
		edit(config)
	}
	o.Generation = func(net.Conn) int { return 7 }
	o.Serve = func(ctx context.Context, c *Client) { splice(ctx, t, c) }
	on, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return open(t, o, func(o Options) (*Listener, error) { return ListenRelayed(on, config, o) })
}

// splice serves a client whose login was relayed.
func splice(ctx context.Context, t *testing.T, c *Client) {
	up := c.Server
	defer up.Conn.Close()
	stop := context.AfterFunc(ctx, func() { c.Close(); up.Conn.Close() })
	defer stop()
	if c.Gen != 7 || up.Status["server_version"] == "" {
		t.Errorf("generation %d, status %v", c.Gen, up.Status)
	}
	forget, err := c.Welcome(up, up.PID, func(ctx context.Context) {
		if err := up.Cancel(ctx); err != nil {
			t.Error(err)
		}
	})
	defer forget()
	if err != nil {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(up.Conn, c); up.Conn.Close() })
	both.Go(func() { _, _ = io.Copy(c, up.Conn); c.Close() })
	both.Wait()
}

// at returns a URL of the stub for a role of a server's.
func (s *stub) at(user, password, database, params string) string {
	return "postgres://" + user + ":" + password + "@" + s.Addr().String() + "/" + database + "?" + params
}

const password = "s3cr3t-Passw0rd"

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
		closeConn(conn)
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
	server := devServer(t, pgtest.SSL(), pgtest.Socket(), pgtest.HBA(
		"local all all scram-sha-256",
		"hostssl tls all 127.0.0.1/32 scram-sha-256",
		"host tls all 127.0.0.1/32 reject",
		"host plain all 127.0.0.1/32 password",
		"host trust all 127.0.0.1/32 trust",
		"host all all 127.0.0.1/32 md5")) // SCRAM for those whose password is stored so
	server.Exec(t, "set password_encryption = md5; create role old login password '"+password+"'")
	for _, name := range []string{"tls", "plain", "trust"} {
		server.CreateDB(t, name, "dev")
	}
	for name, test := range map[string]func(*testing.T, *pgtest.Server){
		"methods": relayedByMethod, "tls": relayedOverTLS, "routes": relayedByRoute, "trust": relayedWithoutPassword,
		"pgbouncer": relayedToPgBouncer, "silent client": relayedOfSilentClient,
	} {
		t.Run(name, func(t *testing.T) { test(t, server) })
	}
	eventually(t, "the end of all server sessions", func() bool {
		return len(server.Query(t, "select from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()")) == 0
	})
	relayedWhileDown(t, server)
}

func relayedByMethod(t *testing.T, server *pgtest.Server) {
	s := relayedStub(t, server.URL(pgtest.Conn{}), Options{})
	tryLogins(t, s, "sslmode=disable&max_protocol_version=3.2")
	for _, user := range []string{"dev", "old"} {
		for _, database := range []string{"app", "plain"} { // SCRAM, MD5 and clear text
			conn := connection(t, s.at(user, password, database, "sslmode=prefer"))
			if got := one(t, conn, "select current_user || ' ' || current_database()"); got != user+" "+database {
				t.Errorf("%s on %s: %s", user, database, got)
			}
		}
	}
	for url, code := range map[string]string{
		s.at("dev", password, "none", "sslmode=disable"): "3D000", // told after AuthenticationOk
		s.at("old", "wrong", "app", "sslmode=disable"):   "28P01",
		s.at("old", "wrong", "plain", "sslmode=disable"): "28P01",
	} {
		_, err := pgconn.Connect(t.Context(), url)
		var pg *pgconn.PgError
		if !errors.As(err, &pg) || pg.Code != code {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func relayedOverTLS(t *testing.T, server *pgtest.Server) {
	verified := "sslmode=verify-full&sslrootcert=" + server.CAFile
	for _, params := range []string{verified, "sslmode=require", "sslmode=allow", "sslmode=prefer"} {
		s := relayedStub(t, server.URL(pgtest.Conn{Params: params}), Options{})
		conn := connection(t, s.at("dev", password, "tls", "sslmode=prefer"))
		if got := one(t, conn, "select ssl from pg_stat_ssl where pid = pg_backend_pid()"); got != "t" {
			t.Errorf("%s: TLS %s", params, got)
		}
	}
	tryLogins(t, relayedStub(t, server.URL(pgtest.Conn{Params: verified}), Options{})) // psql fails if it sees SCRAM-SHA-256-PLUS
	for params, want := range map[string]string{
		"sslmode=disable":                     "pg_hba.conf rejects", // the server's own words
		"sslmode=verify-full":                 "cannot connect to the database server",
		verified + "&channel_binding=require": "channel_binding=require cannot be kept",
		verified + "&sslcertmode=require":     "cannot connect to the database server", // which asks for no certificate
	} {
		s := relayedStub(t, server.URL(pgtest.Conn{Params: params}), Options{})
		if _, err := pgconn.Connect(t.Context(), s.at("dev", password, "tls", "sslmode=prefer")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", params, err)
		}
	}
}

func relayedByRoute(t *testing.T, server *pgtest.Server) {
	port := strconv.Itoa(server.Port)
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, dead, _ := net.SplitHostPort(nobody.Addr().String())
	nobody.Close()
	for _, upstream := range []string{
		"host=" + server.SocketDir + " port=" + port,
		"host=localhost sslmode=verify-full sslcertmode=disable sslrootcert=" + server.CAFile + " port=" + port,
		"host=127.0.0.1,127.0.0.1 sslmode=prefer port=" + dead + "," + port,
		"host=" + t.TempDir() + "," + server.SocketDir + " port=" + port,
	} {
		s := relayedStub(t, upstream, Options{})
		conn := connection(t, s.at("dev", password, "app", "sslmode=disable"))
		checkCancel(t, conn)
	}
}

func relayedToPgBouncer(t *testing.T, server *pgtest.Server) {
	for _, auth := range []string{"scram-sha-256", "md5", "plain"} {
		bouncer := pgtest.PgBouncer(t, server, pgtest.Pool{Settings: map[string]string{"auth_type": auth, "server_idle_timeout": "1"}})
		for params, ok := range map[string]bool{"sslmode=prefer": true, "sslmode=require": false} { // it has no TLS
			s := relayedStub(t, bouncer.URL(pgtest.Conn{Params: params}), Options{})
			if ok {
				tryLogins(t, s)
			} else if _, err := pgconn.Connect(t.Context(), s.at("dev", password, "app", "sslmode=disable")); err == nil || !strings.Contains(err.Error(), "08001") {
				t.Errorf("without the TLS that the upstream's URL requires: %v", err)
			}
		}
	}
}

func relayedWithoutPassword(t *testing.T, server *pgtest.Server) {
	s := relayedStub(t, server.URL(pgtest.Conn{}), Options{})
	_, err := pgconn.Connect(t.Context(), s.at("dev", password, "trust", "sslmode=disable"))
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Code != "28000" || pg.Severity != "FATAL" || !strings.Contains(pg.Message, "asks for no password") {
		t.Errorf("%v", err)
	}
}

func relayedWhileDown(t *testing.T, server *pgtest.Server) {
	s := relayedStub(t, server.URL(pgtest.Conn{}), Options{})
	server.Stop(t)
	s.checkReset(t, "connection refused")
	server.StartAgain(t)
	closeConn(connection(t, s.at("dev", password, "app", "sslmode=disable")))
}

// checkReset checks that a client is told nothing of a server that cannot be reached: its
// connection is reset. The log says why.
func (s *stub) checkReset(t *testing.T, why string) {
	t.Helper()
	_, err := pgconn.Connect(t.Context(), s.at("dev", password, "app", "sslmode=disable"))
	if pg := new(pgconn.PgError); !errors.Is(err, syscall.ECONNRESET) || errors.As(err, &pg) {
		t.Errorf("the client is told: %v", err)
	}
	if !strings.Contains(s.log.text(), why) {
		t.Errorf("the log does not say %q:\n%s", why, s.log.text())
	}
}

func relayedOfSilentClient(t *testing.T, server *pgtest.Server) {
	s := relayedStub(t, server.URL(pgtest.Conn{}), Options{timeout: 100 * time.Millisecond})
	for _, rest := range [][]byte{nil, {'p'}, {'p', 0x7f, 0xff, 0xff, 0xff}, {'p', 0, 0, 0, 3}, message('Q', []byte("select 1\x00"))} {
		conn := s.dial(t)
		if _, err := conn.Write(append(startupPacket(3<<16, "user", "dev", "database", "app"), rest...)); err != nil {
			t.Fatal(err)
		}
		hangsUp(t, conn)
	}
	hello := startupPacket(3<<16, "user", "dev", "database", "app")
	for n := range len(hello) + 1 { // those that leave, some by RST
		conn := s.dial(t)
		_, _ = conn.Write(hello[:n])
		_ = conn.(*net.TCPConn).SetLinger(n%2 - 1)
		_ = conn.Close()
	}
	eventually(t, "the end of their logins", func() bool { return running("(*Listener).attend") == 0 })
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
		"turned away, and no more": {string(encode(Fatal("53300", "sorry, too many clients already"))), "too many clients already"},
	} {
		t.Run(name, func(t *testing.T) {
			s := relayedStub(t, fakeUpstream(t, []byte(tc.answer)), Options{})
			_, err := pgconn.Connect(t.Context(), s.at("dev", password, "app", "sslmode=disable"))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

// An upstream that is silent holds up neither close, which the stub checks, nor
// does it make its clients look silent.
func TestRelayedLoginToSilentUpstream(t *testing.T) {
	s := relayedStub(t, fakeUpstream(t, nil), Options{logins: 2, patience: 50 * time.Millisecond, timeout: time.Second})
	for range 2 {
		conn := s.dial(t)
		if _, err := conn.Write(startupPacket(3<<16, "user", "a")); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "two logins under way", func() bool { return running("login.(*relayedLogin).read") == 2 })
	<-time.After(1500 * time.Millisecond) // well over every limit of the client's own
	if n := running("login.(*relayedLogin).read"); n != 2 {
		t.Errorf("%d logins wait for the upstream", n)
	}
}

func TestRelayedLoginThatCannotBegin(t *testing.T) {
	silent := strings.Replace(fakeUpstream(t, nil), "disable", "require", 1)
	for name, tc := range map[string]struct {
		upstream string
		edit     func(*pgconn.Config)
		why      string
	}{
		"no answer to SSLRequest":  {silent, func(c *pgconn.Config) { c.ConnectTimeout = time.Second }, "(127.0.0.1): tls error: timeout"},
		"no answer to a hello":     {silent + "&sslnegotiation=direct", func(c *pgconn.Config) { c.ConnectTimeout = time.Second }, "(127.0.0.1): timeout"},
		"a name that nobody knows": {silent, func(c *pgconn.Config) { c.LookupFunc = lookUpNothing }, "no such host"},
		"it hangs up at once": {silent, func(c *pgconn.Config) {
			c.DialFunc = func(context.Context, string, string) (net.Conn, error) {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					return nil, err
				}
				here, err := net.Dial("tcp", l.Addr().String())
				return here, errors.Join(err, l.Close()) // not accepted: reset
			}
		}, "(127.0.0.1): tls error"},
	} {
		t.Run(name, func(t *testing.T) {
			s := relayedStub(t, tc.upstream, Options{}, tc.edit)
			s.checkReset(t, tc.why)
		})
	}
}

func TestRelayedLoginToANameWithoutAnAddress(t *testing.T) {
	s := relayedStub(t, fakeUpstream(t, nil), Options{}, func(c *pgconn.Config) {
		c.LookupFunc = func(context.Context, string) ([]string, error) { return nil, nil }
	})
	_, err := pgconn.Connect(t.Context(), s.at("dev", password, "app", "sslmode=disable"))
	if pg := new(pgconn.PgError); !errors.As(err, &pg) || pg.Code != "08001" || !strings.Contains(pg.Detail, "hostname resolving error") {
		t.Error(err)
	}
}

func lookUpNothing(context.Context, string) ([]string, error) {
	return nil, &net.DNSError{Err: "no such host", Name: "x"}
}

// FuzzRelayedLogin feeds a login any bytes of an upstream's and of a client's.
func FuzzRelayedLogin(f *testing.F) {
	ok, ready := encode(&pgproto3.AuthenticationOk{}), encode(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	clear := encode(&pgproto3.AuthenticationCleartextPassword{})
	key := encode(&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte("abcd")})
	for _, seed := range [][]byte{
		joined(clear, ok, key, ready), joined(ok, ready), joined(clear, ok, encode(&pgproto3.ParameterStatus{Name: "a", Value: "b"}), ready),
		encode(&pgproto3.AuthenticationSASL{AuthMechanisms: []string{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"}}),
		encode(&pgproto3.NegotiateProtocolVersion{NewestMinorProtocol: 3 << 16, UnrecognizedOptions: []string{"a"}}),
		encode(Fatal("28000", "no")), []byte("K\x00\x00\x00\x04"), []byte("v\x00\x00\x00\x05x"),
	} {
		for how := range uint8(3) {
			f.Add(seed, message('p', []byte("x\x00")), how)
		}
	}
	config, err := pgconn.ParseConfig("host=127.0.0.1 sslmode=disable")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, upstream, answers []byte, how uint8) {
		server, there := net.Pipe()
		ours, theirs := net.Pipe()
		var peers sync.WaitGroup
		for conn, says := range map[net.Conn][]byte{there: upstream, theirs: answers} {
			peers.Go(func() { _, _ = io.Copy(io.Discard, conn) })
			peers.Go(func() {
				_, _ = conn.Write(says)
				_ = conn.Close()
			})
		}
		pending := newPendingLogins(1, time.Minute)
		pending.takeSlot(t.Context())
		p := pending.enter(ours)
		login := &relayedLogin{client: p, in: &intake{r: p, left: loginBytes}, timeout: time.Minute, start: &startup{version: 3 << 16}, terms: terms(how % 3)}
		config := config.Copy()
		config.DialFunc = func(context.Context, string, string) (net.Conn, error) { return server, nil }
		if _, err := login.run(t.Context(), config); err == nil && login.progress != answered && login.terms != noPassword {
			t.Error("logged in without an answer")
		}
		pending.leave(p)
		_ = ours.Close()
		_ = server.Close()
		peers.Wait()
	})
}
