package relay

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/devguard/devguard/dbguard/pgtest"
)

var fatal = &pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: "57P01", Message: "the app is restarted"}

// rest reads what the client is still sent, to the end, and returns the types of the messages and
// the last error.
func (l *link) rest() (types string, last *pgproto3.ErrorResponse) {
	l.t.Helper()
	_ = l.conn.SetReadDeadline(time.Now().Add(patience))
	for {
		m, err := l.front.Receive()
		switch {
		case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET):
			return types, last
		case err != nil:
			l.t.Fatalf("after %q: %v", types, err)
		}
		raw, _ := m.(interface {
			Encode([]byte) ([]byte, error)
		}).Encode(nil)
		types += string(raw[:1])
		if e, ok := m.(*pgproto3.ErrorResponse); ok {
			last = &pgproto3.ErrorResponse{Severity: e.Severity, Code: e.Code, Message: e.Message}
		}
	}
}

func testEnd(t *testing.T, s *pgtest.Server) {
	o := observe(t, s)
	o.ask("create table things (id int, n int default 0); insert into things select generate_series(1, 20)")
	for _, c := range ends {
		t.Run(c.name, func(t *testing.T) {
			l := open(t, s.URL(pgtest.Conn{}))
			c.do(l, o)
			l.taken()
			l.End(fatal)
			report := l.report()
			if c.name == "pipeline without Sync" {
				report.Cancelled = false // chance: the undoing may still be under way
			}
			if report != c.want {
				t.Errorf("report %+v, want %+v", report, c.want)
			}
			o.until("0", "select count(*) from pg_stat_activity where pid = "+l.itsPid())
			if strings.Contains(c.name, "nobody reads") {
				return // the message goes the way of the data
			}
			if types, last := l.rest(); last == nil || last.Message != fatal.Message || last.Code != fatal.Code {
				t.Errorf("the client got %q and %+v", types, last)
			}
		})
	}
	if sum := o.ask("select count(*) || ' ' || sum(n) from things"); sum != "20 0" {
		t.Errorf("something was committed: %s", sum)
	}
}

// A client in the middle of a large message gets all of it before the last one.
func testEndAtBoundary(t *testing.T, s *pgtest.Server) {
	for n := range 10 {
		l := open(t, s.URL(pgtest.Conn{}))
		l.say(&pgproto3.Query{String: "select repeat('x', 3000000) from generate_series(1, 100)"})
		l.taken()
		var took time.Duration
		var wg sync.WaitGroup
		wg.Go(func() {
			for l.Snapshot().ServerBytes < uint64(n)*1e6 {
				runtime.Gosched()
			}
			start := time.Now()
			l.End(fatal)
			<-l.ended
			took = time.Since(start)
		})
		types, last := l.rest()
		wg.Wait()
		if strings.Trim(types, "TDE") != "" || took < endGrace && (last == nil || last.Message != fatal.Message) {
			t.Errorf("%q %+v after %v", types, last, took)
		}
		if r := l.report(); !r.Cancelled || !r.Clean {
			t.Errorf("%+v", r)
		}
	}
}

func testEndOfHeld(t *testing.T, s *pgtest.Server) {
	l := open(t, s.URL(pgtest.Conn{}))
	l.Hold()
	l.say(&pgproto3.Query{String: "select 1"})
	l.End(fatal)
	if r := l.report(); r != (Report{Clean: true}) {
		t.Errorf("%+v", r)
	}
	if types, last := l.rest(); types != "E" || last.Code != "57P01" {
		t.Errorf("%q %+v", types, last)
	}
	l.End(fatal) // and nothing happens
	l.Cancel(t.Context())
	if n := l.cancels.Load(); n != 0 {
		t.Errorf("%d cancels", n)
	}
	if err := l.AwaitIdle(t.Context()); err != nil {
		t.Error(err)
	}
}

// A client that has closed its sending side is gone, even if it is still there and reads nothing.
func testHalfClosed(t *testing.T, s *pgtest.Server) {
	o := observe(t, s)
	l := open(t, s.URL(pgtest.Conn{}))
	l.say(&pgproto3.Query{String: "copy (select repeat('x', 1000) from generate_series(1, 1000000)) to stdout"})
	o.until("ClientWrite", waits(l))
	if err := l.conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if r := l.report(); r != (Report{Cancelled: true, Clean: true}) {
		t.Errorf("%+v", r)
	}
}

func testEndBeforeRun(t *testing.T, s *pgtest.Server) {
	up := login(t, s.URL(pgtest.Conn{}))
	near, far := tcpPair(t)
	defer near.Close()
	r := New(far, Upstream{Conn: up.Conn}, newSession(), Options{})
	r.End(nil)
	if got := r.Run(t.Context()); got != (Report{Clean: true}) {
		t.Errorf("%+v", got)
	}
}

func testContextDone(t *testing.T, s *pgtest.Server) {
	o := observe(t, s)
	l := open(t, s.URL(pgtest.Conn{}))
	l.say(&pgproto3.Query{String: "select pg_sleep(1)"})
	o.until("PgSleep", waits(l))
	l.kill()
	if r := l.report(); !errors.Is(r.Err, context.Canceled) || r.Clean {
		t.Errorf("%+v", r)
	}
}

// What a client asked for before its Terminate is done, though it reads nothing.
func testTerminateAfterInsert(t *testing.T, s *pgtest.Server) {
	o := observe(t, s)
	o.ask("create table things (id int)")
	for _, how := range []string{"FIN", "RST", "waits"} {
		t.Run(how, func(t *testing.T) {
			o.ask("truncate things")
			l := open(t, s.URL(pgtest.Conn{}))
			l.say(&pgproto3.Query{String: "select pg_sleep(1); insert into things values (1)"}, &pgproto3.Terminate{})
			if how == "waits" {
				if types, _ := l.rest(); types != "TDCCZ" {
					t.Errorf("the client got %q", types)
				}
			} else {
				o.until("PgSleep", waits(l))
				l.hangUp(how)
			}
			if r := l.report(); r != (Report{Clean: true}) {
				t.Errorf("%+v", r)
			}
			if n := o.ask("select count(*) from things"); n != "1" || l.cancels.Load() != 0 {
				t.Errorf("%s rows, %d cancels", n, l.cancels.Load())
			}
		})
	}
	t.Run("until End", func(t *testing.T) {
		o.ask("truncate things")
		l := open(t, s.URL(pgtest.Conn{}))
		l.say(&pgproto3.Query{String: "select pg_sleep(600); insert into things values (1)"}, &pgproto3.Terminate{})
		o.until("PgSleep", waits(l))
		l.hangUp("FIN")
		l.End(nil)
		if r := l.report(); r != (Report{Cancelled: true, Clean: true}) {
			t.Errorf("%+v", r)
		}
		if n := o.ask("select count(*) from things"); n != "0" {
			t.Errorf("%s rows", n)
		}
	})
}

// TestServerEnds: a client hears what it would hear from the server itself.
func TestServerEnds(t *testing.T) {
	for _, c := range []struct {
		name  string
		exact bool // the server always says the same
		end   func(t *testing.T, s *pgtest.Server)
	}{
		{"pg_terminate_backend", true, func(t *testing.T, s *pgtest.Server) {
			s.Query(t, "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend'")
		}},
		{"fast shutdown", true, func(t *testing.T, s *pgtest.Server) { s.Stop(t) }},
		{"immediate shutdown", false, func(t *testing.T, s *pgtest.Server) { signal(t, s, syscall.SIGQUIT) }},
		{"kill", false, func(t *testing.T, s *pgtest.Server) { s.Kill(t) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := pgtest.Start(t)
			o := observe(t, s)
			var pairs [][2]*link
			for _, query := range []string{"", "select pg_sleep(600)"} {
				direct := login(t, s.URL(pgtest.Conn{}))
				defer direct.Conn.Close()
				bare := &link{t: t, up: direct, front: pgproto3.NewFrontend(direct.Conn, direct.Conn), conn: direct.Conn.(*net.TCPConn)}
				pair := [2]*link{open(t, s.URL(pgtest.Conn{})), bare}
				for _, l := range pair {
					l.run("select 1")
					if query != "" {
						l.say(&pgproto3.Query{String: query})
						o.until("PgSleep", waits(l))
					}
				}
				pairs = append(pairs, pair)
			}
			c.end(t, s)
			for _, pair := range pairs {
				types, last := pair[0].rest()
				wantTypes, want := pair[1].rest()
				if c.exact && (types != wantTypes || !reflect.DeepEqual(last, want)) {
					t.Errorf("%q %+v, want %q %+v", types, last, wantTypes, want)
				}
				if r := pair[0].report(); r.Err == nil || !r.Lost || r.Cancelled || r.RolledBack || r.Clean {
					t.Errorf("%+v", r)
				}
			}
		})
	}
}

func signal(t *testing.T, s *pgtest.Server, sig os.Signal) {
	t.Helper()
	p, err := os.FindProcess(s.Pid())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Signal(sig); err != nil {
		t.Fatal(err)
	}
}
