package login

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devguard/devguard/dbguard/pgtest"
	"github.com/devguard/devguard/supervisor/logline/logtest"
)

// hangsUp reports how long it takes until the peer of conn closes it.
func hangsUp(t *testing.T, conn net.Conn) time.Duration {
	t.Helper()
	begun := time.Now()
	_, err := io.Copy(io.Discard, conn)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		t.Fatal("the listener does not hang up")
	}
	return time.Since(begun)
}

func TestListenOnlyWhereWeAreAlone(t *testing.T) {
	o := Options{}
	for _, address := range []string{":0", "0.0.0.0:0", "[::]:0"} {
		if l, err := Listen("tcp", address, o); err == nil {
			l.Close(t.Context())
			t.Errorf("listens on %s", address)
		} else if !strings.Contains(err.Error(), "loopback") {
			t.Error(err)
		}
	}
	path := filepath.Join(t.TempDir(), "s")
	startStub(t, "unix", path, Options{})
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if _, err := Listen("unix", path, o); err == nil {
		t.Error("two listeners on one socket")
	}
}

func TestSilenceEndsALogin(t *testing.T) {
	const limit = 100 * time.Millisecond
	s := tcpStub(t, Options{timeout: limit})
	first := saslInitial("n,,n=,r=abc")
	for name, said := range map[string][]byte{
		"nothing": nil, "half a length": {0, 0}, "half a startup": startupPacket(3<<16, "user", "a")[:12],
		"SSLRequest": packet(codeSSL), "startup": startupPacket(3<<16, "user", "a"),
		"half a response": joined(startupPacket(3<<16, "user", "a"), first[:20]),
		"no proof":        joined(startupPacket(3<<16, "user", "a"), first),
	} {
		begun := time.Now() // before the listener knows of it
		conn := s.dial(t)
		if _, err := conn.Write(said); err != nil {
			t.Fatal(err)
		}
		hangsUp(t, conn)
		if took := time.Since(begun); took < limit {
			t.Errorf("%s: closed after %v", name, took)
		}
	}
}

// Whoever keeps talking has the same time, and 10,000 bytes.
func TestTalkIsLimited(t *testing.T) {
	s := tcpStub(t, Options{timeout: 300 * time.Millisecond})
	slow := s.dial(t)
	stop := make(chan struct{})
	go func() {
		defer close(stop)
		for _, b := range startupPacket(3<<16, "user", strings.Repeat("a", 9000)) {
			if _, err := slow.Write([]byte{b}); err != nil {
				return
			}
			<-time.After(time.Millisecond)
		}
	}()
	if took := hangsUp(t, slow); took > 5*time.Second {
		t.Errorf("a slow one was closed after %v", took)
	}
	<-stop
	s = tcpStub(t, Options{}) // with the time that a busy machine needs for that much talk
	answers := exchangeRaw(t, s.dial(t), []byte(strings.Repeat(string(packet(codeSSL)), 1250)))
	if string(answers) != strings.Repeat("N", 1250) {
		t.Errorf("%d answers to 1,250 SSLRequests", len(answers))
	}
	endless := s.dial(t)
	sent := 0
	for {
		n, err := endless.Write([]byte(strings.Repeat(string(packet(codeGSS)), 100)))
		if sent += n; err != nil {
			break
		}
	}
	hangsUp(t, endless)
}

// A peer that never reads blocks nobody: what we say before a login is little.
func TestPeerThatNeverReads(t *testing.T) {
	s := tcpStub(t, Options{timeout: 200 * time.Millisecond})
	conn := s.dial(t)
	_ = conn.(*net.TCPConn).SetReadBuffer(1)
	for range 1000 {
		if _, err := conn.Write(packet(codeSSL)); err != nil {
			break
		}
	}
	eventually(t, "the end of its login", func() bool { return running("(*Listener).attend") == 0 })
}

func TestClientThatLeavesDuringLogin(t *testing.T) {
	s := tcpStub(t, Options{})
	whole := joined(packet(codeSSL), startupPacket(3<<16, "user", "a"), saslInitial("n,,n=,r=abc"))
	for n := 0; n <= len(whole); n += 7 {
		conn := s.dial(t)
		_, _ = conn.Write(whole[:n])
		_ = conn.(*net.TCPConn).SetLinger(n%2 - 1) // some by RST
		_ = conn.Close()
	}
	eventually(t, "the end of their logins", func() bool { return running("(*Listener).attend") == 0 })
}

// Sixty-four that say nothing, then honest clients.
func TestSilentOnesMakeRoom(t *testing.T) {
	clearPG(t)
	s := tcpStub(t, Options{patience: 50 * time.Millisecond, timeout: time.Minute})
	logged := connection(t, s.url(firstPassword, "sslmode=disable"))
	for range Slots {
		s.dial(t)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for range 5 {
		conn, err := pgconn.Connect(ctx, s.url(secondPassword, "sslmode=prefer"))
		if err != nil {
			t.Fatal(err)
		}
		closeConn(conn)
	}
	if _, err := logged.Exec(ctx, "who").ReadAll(); err != nil {
		t.Errorf("a client that had logged in: %v", err)
	}
}

// trickle opens n connections that send a startup message, a byte at a time, for ever.
func trickle(t *testing.T, address string, n int, every time.Duration) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	t.Cleanup(func() { stop(); all.Wait() })
	said := startupPacket(3<<16, "user", strings.Repeat("a", 9000))
	for range n {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		all.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				if _, err := conn.Write(said[i : i+1]); err != nil {
					return
				}
				select {
				case <-time.After(every):
				case <-ctx.Done():
				}
			}
		})
	}
}

// A hundred that are never silent for long, and never come to an end, keep nobody out
// of a server, nor of a listener.
func TestSlowOnesMakeRoom(t *testing.T) {
	clearPG(t)
	listener, server := tcpStub(t, Options{patience: 50 * time.Millisecond, timeout: time.Minute}), devServer(t)
	for name, door := range map[string]struct{ address, url string }{
		"server":   {net.JoinHostPort(server.Host, strconv.Itoa(server.Port)), server.URL(pgtest.Conn{})},
		"listener": {listener.Addr().String(), listener.url(firstPassword, "sslmode=disable")},
	} {
		t.Run(name, func(t *testing.T) {
			trickle(t, door.address, 100, 20*time.Millisecond)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			for range 3 {
				conn, err := pgconn.Connect(ctx, door.url)
				if err != nil {
					t.Fatal(err)
				}
				closeConn(conn)
			}
		})
	}
}

// The time that a client waits for somebody else is not its own.
func TestTurn(t *testing.T) {
	var turn turn
	at := func(ms int) time.Time { return time.Unix(1, 0).Add(time.Duration(ms) * time.Millisecond) }
	want := func(now, took int, its bool) {
		t.Helper()
		if got, is := turn.taken(at(now)); got != time.Duration(took)*time.Millisecond || is != its {
			t.Errorf("after %d ms: %v, %v", now, got, is)
		}
	}
	want(0, 0, false)
	turn.begin(at(0))
	want(100, 100, true)
	turn.begin(at(100)) // it goes on
	turn.end(at(200))
	want(900, 200, false)
	turn.end(at(900))
	turn.begin(at(1000))
	want(1050, 250, true)
}

// Nobody is closed while there is a free slot.
func TestSilenceIsNoFaultWhileSlotsAreFree(t *testing.T) {
	clearPG(t)
	s := tcpStub(t, Options{logins: 4, patience: time.Millisecond, timeout: time.Minute})
	quiet := []net.Conn{s.dial(t), s.dial(t)}
	for range 20 {
		closeConn(connection(t, s.url(firstPassword, "sslmode=disable")))
	}
	if strings.Contains(s.log.text(), errTooSlow.Error()) && running("(*Listener).attend") < len(quiet) {
		t.Errorf("closed with a slot free:\n%s", s.log.text())
	}
}

func TestThousandsOfConnections(t *testing.T) {
	clearPG(t)
	const many = 2000
	s := tcpStub(t, Options{patience: 20 * time.Millisecond})
	conns := make(chan net.Conn, many)
	go func() {
		defer close(conns)
		for i := range many {
			conn, err := net.Dial("tcp", s.Addr().String())
			if err != nil {
				if !errors.Is(err, syscall.EMFILE) {
					t.Error(err)
				}
				return
			}
			if i%2 == 0 {
				_, _ = conn.Write(startupPacket(3<<16, "user", "a"))
			}
			conns <- conn
		}
	}()
	var all []net.Conn
	for conn := range conns {
		all = append(all, conn)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	conn, err := pgconn.Connect(ctx, s.url(firstPassword, "sslmode=disable"))
	if err != nil {
		t.Fatal(err)
	}
	if n := running("(*Listener).attend"); n > Slots+1 {
		t.Errorf("%d logins at once", n)
	}
	closeConn(conn)
	for _, c := range all {
		_ = c.Close()
	}
}

func TestCloseEndsWhatIsNotLoggedIn(t *testing.T) {
	clearPG(t)
	s := tcpStub(t, Options{timeout: time.Minute})
	var pending []net.Conn
	for range 100 {
		pending = append(pending, s.dial(t))
	}
	served := connection(t, s.url(firstPassword, "sslmode=disable"))
	ctx, cancel := context.WithCancel(t.Context())
	closed := make(chan struct{})
	go func() { s.Close(ctx); close(closed) }()
	for _, conn := range pending {
		hangsUp(t, conn)
	}
	if _, err := served.Exec(t.Context(), "who").ReadAll(); err != nil {
		t.Errorf("a session that had begun: %v", err)
	}
	select {
	case <-closed:
		t.Error("close did not wait for a session")
	default:
	}
	cancel()
	<-closed
	if _, err := net.Dial("tcp", s.Addr().String()); err == nil {
		t.Error("somebody listens still")
	}
}

// Memory is that of the pending logins, whatever they announce.
func TestAnnouncedLengthsCostNothing(t *testing.T) {
	s := tcpStub(t, Options{timeout: time.Minute})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 2000 {
		conn := s.dial(t)
		_, _ = conn.Write([]byte{0x7f, 0xff, 0xff, 0xff, 0, 3, 0, 0})
		hangsUp(t, conn)
		_ = conn.Close()
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 8<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
}

// A listener that has no file descriptors left goes on once it has.
func TestAcceptFailsForAWhile(t *testing.T) {
	here, there := net.Pipe()
	poor := &poorListener{results: make(chan error), conn: here, closed: make(chan struct{})}
	r := &record{}
	l := attach(poor, nil, Options{Log: slog.New(logtest.Handler(t, slog.NewTextHandler(r, nil)))})
	for range 3 {
		poor.results <- syscall.EMFILE
	}
	poor.results <- nil
	if _, err := there.Write(packet(codeSSL)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(there, make([]byte, 1)); err != nil {
		t.Error(err)
	}
	l.Close(t.Context())
	if n := strings.Count(r.text(), "cannot accept"); n != 1 {
		t.Errorf("said %d times:\n%s", n, r.text())
	}
}

// poorListener accepts conn, or fails, as results say.
type poorListener struct {
	results chan error
	conn    net.Conn
	closed  chan struct{}
}

func (p *poorListener) Accept() (net.Conn, error) {
	select {
	case err := <-p.results:
		if err != nil {
			return nil, err
		}
		return p.conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *poorListener) Close() error { close(p.closed); return nil }

func (p *poorListener) Addr() net.Addr { return &net.TCPAddr{} }
