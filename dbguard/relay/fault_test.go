package relay

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/devguard/devguard/dbguard/pgtest"
	"github.com/devguard/devguard/dbguard/session"
)

// faulty is a connection with some of its methods replaced.
type faulty struct {
	net.Conn
	write        func([]byte) (int, error)
	read         func([]byte) (int, error)
	readDeadline func(time.Time) error
}

func (f *faulty) Write(b []byte) (int, error) {
	if f.write != nil {
		return f.write(b)
	}
	return f.Conn.Write(b)
}

func (f *faulty) Read(b []byte) (int, error) {
	if f.read != nil {
		return f.read(b)
	}
	return f.Conn.Read(b)
}

func (f *faulty) SetReadDeadline(t time.Time) error {
	if f.readDeadline != nil {
		return f.readDeadline(t)
	}
	return f.Conn.SetReadDeadline(t)
}

const shortFinish = 300 * time.Millisecond

// TestSilentUpstream: one that neither reads nor writes is closed in the end.
func TestSilentUpstream(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(l *link)
	}{
		{"idle client leaves", func(l *link) { l.hangUp("FIN") }},
		{"busy client leaves", func(l *link) {
			l.say(&pgproto3.Query{String: "select 1"})
			l.taken()
			l.hangUp("RST")
		}},
		{"busy client, End", func(l *link) {
			l.say(&pgproto3.Query{String: "select 1"})
			l.taken()
			l.End(fatal)
		}},
		{"Terminate, End", func(l *link) {
			l.say(&pgproto3.Query{String: "select 1"}, &pgproto3.Terminate{})
			l.taken()
			l.End(nil)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := openSilent(t, true)
			c.do(l)
			start := time.Now()
			r := l.report()
			if took := time.Since(start); took > shortFinish+endGrace+time.Second || r.Clean || r.Err == nil {
				t.Errorf("after %v: %+v", took, r)
			}
		})
	}
	t.Run("it does not read, End", func(t *testing.T) {
		l := openSilent(t, false)
		l.say(&pgproto3.Query{String: "select 1"})
		l.taken()
		l.End(fatal)
		if r := l.report(); r.Clean || r.Err == nil {
			t.Errorf("%+v", r)
		}
	})
	t.Run("held by a cancel", func(t *testing.T) {
		l := openSilent(t, true)
		l.say(&pgproto3.Query{String: "select 1"})
		l.taken()
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); l.Cancel(ctx) }()
		l.End(fatal)
		if r := l.report(); r.Clean || r.Err == nil {
			t.Errorf("%+v", r)
		}
		stop()
		<-done
	})
}

// openSilent is a link to an upstream that does nothing, cancels included.
func openSilent(t *testing.T, reads bool) *link {
	t.Helper()
	checkLeaks(t)
	near, far := tcpPair(t)
	up, other := net.Pipe()
	if reads {
		go func() { _, _ = io.Copy(io.Discard, other) }() // ends with the pipe
	}
	t.Cleanup(func() { other.Close(); near.Close() })
	l := &link{t: t, conn: near, ended: make(chan struct{}), kill: func() {}}
	l.front = pgproto3.NewFrontend(near, writer(func(b []byte) (int, error) {
		l.sent += uint64(len(b))
		return near.Write(b)
	}))
	l.Relay = New(far, Upstream{Conn: up, Cancel: func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}}, newSession(), Options{FinishTimeout: shortFinish})
	go func() {
		defer close(l.ended)
		l.result = l.Run(context.Background())
	}()
	return l
}

func testFaults(t *testing.T, s *pgtest.Server) {
	o := observe(t, s)
	failed := errors.New("broken by the test")
	after := func(n int, fail func([]byte) (int, error), ok func([]byte) (int, error)) func([]byte) (int, error) {
		return func(b []byte) (int, error) {
			if n--; n < 0 {
				return fail(b)
			}
			return ok(b)
		}
	}
	for _, c := range []struct {
		name   string
		change change
	}{
		{"short write to the client", func(c *netConn, _ *Upstream, _ *Options) {
			old := *c
			*c = &faulty{Conn: old, write: after(1, func(b []byte) (int, error) { return old.Write(b[:len(b)/2]) }, old.Write)}
		}},
		{"failed write to the client", func(c *netConn, _ *Upstream, _ *Options) {
			old := *c
			*c = &faulty{Conn: old, write: after(1, func(b []byte) (int, error) { return 0, failed }, old.Write)}
		}},
		{"failed read from the client", func(c *netConn, _ *Upstream, _ *Options) {
			old := *c
			*c = &faulty{Conn: old, read: after(1, func(b []byte) (int, error) {
				_, _ = old.Read(b)
				return 0, failed
			}, old.Read)}
		}},
		{"short write to the upstream", func(_ *netConn, up *Upstream, _ *Options) {
			old := up.Conn
			up.Conn = &faulty{Conn: old, write: after(1, func(b []byte) (int, error) { return old.Write(b[:len(b)/2]) }, old.Write)}
		}},
		{"failed write to the upstream", func(_ *netConn, up *Upstream, _ *Options) {
			old := up.Conn
			up.Conn = &faulty{Conn: old, write: after(1, func(b []byte) (int, error) { return 0, failed }, old.Write)}
		}},
		{"failed read from the upstream", func(_ *netConn, up *Upstream, _ *Options) {
			old := up.Conn
			up.Conn = &faulty{Conn: old, read: after(1, func(b []byte) (int, error) { return 0, failed }, old.Read)}
		}},
		{"no deadlines, and End", func(c *netConn, _ *Upstream, _ *Options) {
			*c = &faulty{Conn: *c, readDeadline: func(time.Time) error { return failed }}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := open(t, s.URL(pgtest.Conn{}), c.change, func(_ *netConn, _ *Upstream, o *Options) { o.FinishTimeout = shortFinish })
			l.run("begin; lock pg_class in share mode")
			if strings.Contains(c.name, "End") {
				l.End(fatal)
			} else {
				l.say(&pgproto3.Query{String: "select 1"})
			}
			r := l.report()
			t.Logf("%+v", r)
			_, _ = io.Copy(io.Discard, l.conn) // it is closed: this ends
			o.until("0", "select count(*) from pg_stat_activity where pid = "+l.itsPid())
		})
	}
}

// What is no message ends the session with a word to the client.
func testGarbage(t *testing.T, s *pgtest.Server) {
	o := observe(t, s)
	l := open(t, s.URL(pgtest.Conn{}))
	l.run("begin; lock pg_class in share mode")
	l.raw([]byte("GET / HTTP/1.1\r\n\r\n"))
	if _, last := l.rest(); last == nil || last.Code != "08P01" {
		t.Errorf("%+v", last)
	}
	if r := l.report(); r.Err == nil || !r.Clean {
		t.Errorf("%+v", r)
	}
	o.until("0", "select count(*) from pg_locks where pid = "+l.itsPid())
}

// Events come in order and none is lost.
func testEvents(t *testing.T, s *pgtest.Server) {
	var seen []session.Event
	l := open(t, s.URL(pgtest.Conn{}), func(_ *netConn, _ *Upstream, o *Options) {
		o.OnEvents = func(e []session.Event) { seen = append(seen, e...) }
	})
	l.run("select 1")
	l.run("select 1/0")
	l.say(&pgproto3.Terminate{})
	if r := l.report(); r != (Report{Clean: true}) {
		t.Errorf("%+v", r)
	}
	if len(seen) != 3 || seen[0].Kind != session.Executed || seen[0].SQLState != "" ||
		seen[1].Kind != session.Executed || seen[1].SQLState != "22012" || seen[2].Kind != session.Terminated {
		t.Errorf("%+v", seen)
	}
}
