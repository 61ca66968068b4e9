package guard

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

const (
	firstPassword  = "00112233445566778899aabbccddeeff"
	secondPassword = "ffeeddccbbaa99887766554433221100"
)

// stub is a listener whose sessions are served by the test itself: it answers
// each simple query with one row of one column, "generation user database", but
// "wait" with an error 57014 once a CancelRequest has come.
type stub struct {
	*listener
	keys cancelKeys
	log  record

	shutBefore bool
}

// openStubs counts those that are not shut; tests here run one after the other.
var openStubs int

// startStub starts a stub with the passwords of generations 1 and 2, and checks
// when the test ends that closing it takes no time and leaves no goroutine.
func startStub(t *testing.T, network, address string, o listenerOptions) *stub {
	t.Helper()
	s := &stub{}
	o.salt = newSalt()
	secrets := []secret{newSecret(1, firstPassword, o.salt), newSecret(2, secondPassword, o.salt)}
	o.secrets = func() []secret { return secrets }
	if o.cancel == nil {
		o.cancel = s.keys.request
	}
	o.log = slog.New(slog.NewTextHandler(&s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if o.serve == nil {
		o.serve = s.serve
	}
	var err error
	if s.listener, err = listen(network, address, o); err != nil {
		t.Fatal(err)
	}
	openStubs++
	t.Cleanup(func() { s.shut(t) })
	return s
}

// tcpStub is a stub on a free port.
func tcpStub(t *testing.T, o listenerOptions) *stub {
	t.Helper()
	return startStub(t, "tcp", "127.0.0.1:0", o)
}

func (s *stub) shut(t *testing.T) {
	t.Helper()
	now, cancel := context.WithCancel(context.Background())
	cancel()
	begun := time.Now()
	s.close(now)
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("close took %v", took)
	}
	if s.shutBefore {
		return
	}
	s.shutBefore = true
	if openStubs--; openStubs == 0 && running("guard.(*listener)") != 0 {
		t.Errorf("goroutines of the listener are left:\n%s", stacks())
	}
	for _, password := range []string{firstPassword, secondPassword} {
		if strings.Contains(s.log.text(), password) {
			t.Errorf("the log has the password:\n%s", s.log.text())
		}
	}
}

// url returns a URL of the stub for the user "dev" and the database "app".
func (s *stub) url(password, params string) string {
	return fmt.Sprintf("postgres://dev:%s@%s/app?%s", password, s.addr(), params)
}

// dial opens a connection that says nothing.
func (s *stub) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial(s.addr().Network(), s.addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	return conn
}

// stubVersion is the first that has long keys.
const stubVersion = "18.0"

func (s *stub) serve(ctx context.Context, c *client) {
	ctx, end := context.WithCancel(ctx)
	defer end()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	cancelled := make(chan struct{}, 1)
	pid := newPid()
	key, remove := s.keys.add(pid, c.keySize(stubVersion), func(context.Context) { cancelled <- struct{}{} })
	defer remove()
	if c.user == "refused" {
		c.refuse(&pgproto3.ErrorResponse{Severity: "ERROR", Code: "53300", Message: "sorry, too many clients already"})
		return
	}
	status := map[string]string{"client_encoding": "UTF8", "server_version": stubVersion, "standard_conforming_strings": "on", "application_name": c.params["application_name"]}
	if c.welcome(status, nil, pid, key) != nil {
		return
	}
	b := pgproto3.NewBackend(c, c)
	for {
		msg, err := b.Receive()
		if _, left := msg.(*pgproto3.Terminate); left || err != nil {
			return
		}
		if q, ok := msg.(*pgproto3.Query); ok && !s.answer(ctx, b, c, q.String, cancelled) {
			return
		}
	}
}

func (s *stub) answer(ctx context.Context, b *pgproto3.Backend, c *client, sql string, cancelled chan struct{}) bool {
	if strings.HasPrefix(sql, "wait") {
		select {
		case <-cancelled:
			b.Send(&pgproto3.ErrorResponse{Severity: "ERROR", Code: "57014", Message: "canceling statement due to user request"})
		case <-ctx.Done():
			return false
		}
	} else {
		b.Send(&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("who"), DataTypeOID: 25, DataTypeSize: -1, TypeModifier: -1}}})
		b.Send(&pgproto3.DataRow{Values: [][]byte{fmt.Appendf(nil, "%d %s %s", c.gen, c.user, c.database)}})
		b.Send(&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")})
	}
	b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	return b.Flush() == nil
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
