package relay

import (
	"context"
	"encoding/binary"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/devguard/devguard/dbguard/pgtest"
	"github.com/devguard/devguard/dbguard/session"
)

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

// TestRelay runs what can share a server; a start takes as long as most of it.
func TestRelay(t *testing.T) {
	s := pgtest.Start(t)
	for _, c := range []struct {
		name string
		test func(*testing.T, *pgtest.Server)
	}{
		{"Cancel", testCancel},
		{"Late cancel", testLateCancel},
		{"Cancel storm", testCancelStorm},
		{"Gone while cancelling", testGoneWhileCancelling},
		{"Hold", testHold},
		{"Hold under load", testHoldUnderLoad},
		{"End", testEnd},
		{"End at boundary", testEndAtBoundary},
		{"End of held", testEndOfHeld},
		{"Half closed", testHalfClosed},
		{"End before run", testEndBeforeRun},
		{"Context done", testContextDone},
		{"Terminate after insert", testTerminateAfterInsert},
		{"Faults", testFaults},
		{"Garbage", testGarbage},
		{"Events", testEvents},
		{"Client gone", testClientGone},
		{"Through pg bouncer", testThroughPgBouncer},
		{"Thrown away by pg bouncer", testThrownAway},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.Exec(t, "drop table if exists things")
			c.test(t, s)
		})
	}
}

// link is a client, the relay under test and a real upstream session.
type link struct {
	*Relay
	t       testing.TB
	conn    *net.TCPConn // the client's end
	front   *pgproto3.Frontend
	up      *pgconn.HijackedConn
	sent    uint64        // bytes, with say and raw
	cancels atomic.Int32  // CancelRequests sent to the upstream
	ended   chan struct{} // closed when Run has returned, with result
	result  Report
	kill    context.CancelFunc // of Run's context
}

// change alters what a link is made of.
type change func(client *netConn, up *Upstream, o *Options)

// open logs in upstream and runs a relay before it.
func open(t testing.TB, url string, changes ...change) *link {
	t.Helper()
	return openWith(t, url, session.Options{}, changes...)
}

// openWith is open for a session with options.
func openWith(t testing.TB, url string, so session.Options, changes ...change) *link {
	t.Helper()
	checkLeaks(t)
	l := &link{t: t, up: login(t, url), ended: make(chan struct{})}
	near, far := tcpPair(t)
	l.conn = near
	l.front = pgproto3.NewFrontend(near, writer(func(b []byte) (int, error) {
		l.sent += uint64(len(b))
		return near.Write(b)
	}))
	var client net.Conn = far
	up := Upstream{Conn: l.up.Conn, Cancel: func(ctx context.Context) error {
		l.cancels.Add(1)
		return cancelRequest(ctx, l.up)
	}}
	o := Options{FinishTimeout: patience / 2} // the orderly end has all the time that a busy machine needs
	for _, c := range changes {
		c(&client, &up, &o)
	}
	l.Relay = New(client, up, session.New(so), o)
	ctx, kill := context.WithCancel(context.Background())
	l.kill = kill
	go func() {
		defer close(l.ended)
		l.result = l.Run(ctx)
	}()
	t.Cleanup(func() {
		near.Close()
		kill()
	})
	return l
}

type netConn = net.Conn

func newSession() *session.Session { return session.New(session.Options{}) }

// login opens an upstream session and takes it out of pgconn.
func login(t testing.TB, url string) *pgconn.HijackedConn {
	t.Helper()
	conn, err := pgconn.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.SyncConn(context.Background()); err != nil {
		t.Fatal(err)
	}
	up, err := conn.Hijack()
	if err != nil {
		t.Fatal(err)
	}
	return up
}

// cancelRequest sends a CancelRequest and waits until the other side closes.
func cancelRequest(ctx context.Context, up *pgconn.HijackedConn) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", up.Conn.RemoteAddr().String())
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	msg, err := (&pgproto3.CancelRequest{ProcessID: up.PID, SecretKey: up.SecretKey}).Encode(nil)
	if err != nil {
		return err
	}
	if _, err := conn.Write(msg); err != nil {
		return err
	}
	_, _ = conn.Read(make([]byte, 1)) // its end or an error: closed in both cases
	return ctx.Err()
}

func tcpPair(t testing.TB) (near, far *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return a.(*net.TCPConn), b.(*net.TCPConn)
}

type writer func([]byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }

// taken waits until the session has seen everything that was said.
func (l *link) taken() {
	l.t.Helper()
	for deadline := time.Now().Add(patience); l.Snapshot().ClientBytes < l.sent; {
		if time.Now().After(deadline) {
			l.t.Fatalf("the session has taken %d of %d bytes", l.Snapshot().ClientBytes, l.sent)
		}
		runtime.Gosched()
	}
}

// pg is the client as pgconn sees it.
func (l *link) pg() *pgconn.PgConn {
	l.t.Helper()
	return construct(l.t, l.conn, l.up)
}

func construct(t testing.TB, conn net.Conn, up *pgconn.HijackedConn) *pgconn.PgConn {
	t.Helper()
	c, err := pgconn.Construct(&pgconn.HijackedConn{Conn: conn, PID: up.PID, SecretKey: up.SecretKey,
		ParameterStatuses: up.ParameterStatuses, TxStatus: 'I', Config: up.Config})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// say sends messages of the client.
func (l *link) say(messages ...pgproto3.FrontendMessage) {
	l.t.Helper()
	for _, m := range messages {
		l.front.Send(m)
	}
	if err := l.front.Flush(); err != nil {
		l.t.Fatal(err)
	}
}

// hear reads until a message of the type of m has come, and returns it.
func hear[M pgproto3.BackendMessage](l *link) M {
	l.t.Helper()
	_ = l.conn.SetReadDeadline(time.Now().Add(patience))
	for {
		got, err := l.front.Receive()
		if err != nil {
			l.t.Fatalf("wait for %T: %v", *new(M), err)
		}
		if m, ok := got.(M); ok {
			return m
		}
	}
}

// run runs SQL as the client, to its ReadyForQuery.
func (l *link) run(sql string) {
	l.t.Helper()
	l.say(&pgproto3.Query{String: sql})
	hear[*pgproto3.ReadyForQuery](l)
}

// report waits for the end of Run.
func (l *link) report() Report {
	l.t.Helper()
	select {
	case <-l.ended:
		return l.result
	case <-time.After(patience):
		buf := make([]byte, 1<<16)
		l.t.Fatalf("Run does not return\n%s", buf[:runtime.Stack(buf, true)])
		return Report{}
	}
}

// hangUp ends the client without a farewell.
func (l *link) hangUp(how string) {
	if how == "RST" {
		_ = l.conn.SetLinger(0)
	}
	_ = l.conn.Close()
}

// observer asks the server about others.
type observer struct {
	t    testing.TB
	conn *pgconn.PgConn
}

func observe(t testing.TB, s *pgtest.Server) observer {
	t.Helper()
	conn, err := pgconn.Connect(context.Background(), s.URL(pgtest.Conn{}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return observer{t, conn}
}

// ask returns the first column of the first row.
func (o observer) ask(sql string) string {
	o.t.Helper()
	results, err := o.conn.Exec(context.Background(), sql).ReadAll()
	if err != nil {
		o.t.Fatalf("%s: %v", sql, err)
	}
	if last := results[len(results)-1]; len(last.Rows) > 0 {
		return string(last.Rows[0][0])
	}
	return ""
}

// until asks again until the answer is as wanted.
func (o observer) until(want, sql string) {
	o.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		got := o.ask(sql)
		if got == want {
			return
		}
		if time.Now().After(deadline) {
			o.t.Fatalf("%s: %q, want %q", sql, got, want)
		}
	}
}

// itsPid is the upstream's process id, for SQL.
func (l *link) itsPid() string { return strconv.Itoa(int(l.up.PID)) }

// checked holds the tests that checkLeaks will look after.
var checked sync.Map

// checkLeaks fails the test when goroutines of a relay outlive it: what a test cleans up is done in
// reverse, so it has to come before the first relay.
func checkLeaks(t testing.TB) {
	t.Helper()
	if _, again := checked.LoadOrStore(t, true); again {
		return
	}
	t.Cleanup(func() {
		checked.Delete(t)
		deadline := time.Now().Add(patience)
		buf := make([]byte, 1<<20)
		for {
			all := string(buf[:runtime.Stack(buf, true)])
			if !strings.Contains(all, "relay.(*Relay)") {
				return
			}
			if time.Now().After(deadline) {
				t.Errorf("goroutines are left:\n%.3000s", all)
				return
			}
			runtime.Gosched()
		}
	})
}

// cutFrame is the beginning of a message whose body would have length bytes.
func cutFrame(typ byte, length, have int) []byte {
	b := binary.BigEndian.AppendUint32([]byte{typ}, uint32(length+4))
	return append(b, make([]byte, have)...)
}
