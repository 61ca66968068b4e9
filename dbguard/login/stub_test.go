package login

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/devguard/devguard/supervisor/logline/logtest"
)

const (
	firstPassword  = "00112233445566778899aabbccddeeff"
	secondPassword = "ffeeddccbbaa99887766554433221100"
)

// stub is a listener whose sessions are served by the test itself: it answers
// each simple query with one row of one column, "generation user database", but
// "wait" with an error 57014 once a CancelRequest has come.
type stub struct {
	*Listener
	log record

	shutBefore bool
}

// openStubs counts those that are not shut; tests here run one after the other.
var openStubs int

// startStub starts a stub with the passwords of generations 1 and 2, and checks
// when the test ends that closing it takes no time and leaves no goroutine.
func startStub(t *testing.T, network, address string, o Options) *stub {
	t.Helper()
	var secrets []Secret
	made := make(chan struct{})
	o.Secrets, o.Serve = func() []Secret { <-made; return secrets }, serve
	s := open(t, o, func(o Options) (*Listener, error) { return Listen(network, address, o) })
	secrets = []Secret{s.Secret(1, firstPassword), s.Secret(2, secondPassword)}
	close(made)
	return s
}

// open opens the listener of a stub.
func open(t *testing.T, o Options, listen func(Options) (*Listener, error)) *stub {
	t.Helper()
	s := &stub{}
	o.Log = slog.New(logtest.Handler(t, slog.NewTextHandler(&s.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	var err error
	if s.Listener, err = listen(o); err != nil {
		t.Fatal(err)
	}
	openStubs++
	t.Cleanup(func() { s.shut(t) })
	return s
}

// tcpStub is a stub on a free port.
func tcpStub(t *testing.T, o Options) *stub {
	t.Helper()
	return startStub(t, "tcp", "127.0.0.1:0", o)
}

func (s *stub) shut(t *testing.T) {
	t.Helper()
	now, cancel := context.WithCancel(context.Background())
	cancel()
	begun := time.Now()
	s.Close(now)
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("close took %v", took)
	}
	if s.shutBefore {
		return
	}
	s.shutBefore = true
	if openStubs--; openStubs == 0 { // one that is through with its work may be there for a moment
		eventually(t, "the end of the listener's goroutines", func() bool { return running("login.(*Listener)") == 0 })
	}
	for _, password := range []string{firstPassword, secondPassword} {
		if strings.Contains(s.log.text(), password) {
			t.Errorf("the log has the password:\n%s", s.log.text())
		}
	}
}

// url returns a URL of the stub for the user "dev" and the database "app".
func (s *stub) url(password, params string) string {
	return fmt.Sprintf("postgres://dev:%s@%s/app?%s", password, s.Addr(), params)
}

// dial opens a connection that says nothing.
func (s *stub) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial(s.Addr().Network(), s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	return conn
}

// stubVersion is the first that has long keys.
const stubVersion = "18.0"

func serve(ctx context.Context, c *Client) {
	ctx, end := context.WithCancel(ctx)
	defer end()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	cancelled := make(chan struct{}, 1)
	if c.User == "refused" {
		c.Refuse(&pgproto3.ErrorResponse{Severity: "ERROR", Code: "53300", Message: "sorry, too many clients already"})
		return
	}
	status := map[string]string{"client_encoding": "UTF8", "server_version": stubVersion, "standard_conforming_strings": "on", "application_name": c.Params["application_name"]}
	forget, err := c.Welcome(&ServerConn{Status: status}, NewPID(), func(context.Context) { cancelled <- struct{}{} })
	defer forget()
	if err != nil {
		return
	}
	b := pgproto3.NewBackend(c, c)
	for {
		msg, err := b.Receive()
		if _, left := msg.(*pgproto3.Terminate); left || err != nil {
			return
		}
		if q, ok := msg.(*pgproto3.Query); ok && !answer(ctx, b, c, q.String, cancelled) {
			return
		}
	}
}

func answer(ctx context.Context, b *pgproto3.Backend, c *Client, sql string, cancelled chan struct{}) bool {
	if strings.HasPrefix(sql, "wait") {
		select {
		case <-cancelled:
			b.Send(&pgproto3.ErrorResponse{Severity: "ERROR", Code: "57014", Message: "canceling statement due to user request"})
		case <-ctx.Done():
			return false
		}
	} else {
		b.Send(&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("who"), DataTypeOID: 25, DataTypeSize: -1, TypeModifier: -1}}})
		b.Send(&pgproto3.DataRow{Values: [][]byte{fmt.Appendf(nil, "%d %s %s", c.Gen, c.User, c.Database)}})
		b.Send(&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")})
	}
	b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	return b.Flush() == nil
}

// clearPG takes the PGHOST family out of this process, which pgconn reads.
func clearPG(t *testing.T) {
	t.Helper()
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "PG") {
			t.Setenv(name, "")
			os.Unsetenv(name)
		}
	}
}

// connection opens a session of the test's own.
func connection(t *testing.T, url string) *pgconn.PgConn {
	t.Helper()
	conn, err := pgconn.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeConn(conn) })
	return conn
}

// closeConn ends a session; closing one again does nothing.
func closeConn(conn *pgconn.PgConn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
	<-conn.CleanupDone()
}

// record is a log that a test can read while it is written.
type record struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.Write(p)
}

func (r *record) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.String()
}

// stacks returns those of all goroutines.
func stacks() string {
	b := make([]byte, 1<<20)
	for {
		n := runtime.Stack(b, true)
		if n < len(b) {
			return string(b[:n])
		}
		b = make([]byte, 2*len(b))
	}
}

// running returns how many goroutines have a call of this function.
func running(function string) int {
	n := 0
	for g := range bytes.SplitSeq([]byte(stacks()), []byte("\n\n")) {
		if bytes.Contains(g, []byte(function)) {
			n++
		}
	}
	return n
}

// eventually polls until ok, at most ten seconds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come about", what)
		}
		<-time.After(2 * time.Millisecond)
	}
}
