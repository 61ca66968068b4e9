package relay

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/devguard/devguard/dbguard/pgtest"
)

func testCancel(t *testing.T, s *pgtest.Server) {
	o := observe(t, s)
	l := open(t, s.URL(pgtest.Conn{}))
	l.Cancel(t.Context()) // nothing runs
	if n := l.cancels.Load(); n != 0 {
		t.Errorf("%d cancels of an idle session", n)
	}
	l.say(&pgproto3.Query{String: "select pg_sleep(600)"})
	o.until("PgSleep", waits(l))
	l.Cancel(t.Context())
	if e := hear[*pgproto3.ErrorResponse](l); e.Code != "57014" {
		t.Errorf("%+v", e)
	}
	hear[*pgproto3.ReadyForQuery](l)
	l.run("select 1")
	l.hangUp("FIN")
	if r := l.report(); r != (Report{Clean: true}) {
		t.Errorf("%+v", r)
	}
	l.Cancel(t.Context())
	if n := l.cancels.Load(); n != 1 {
		t.Errorf("%d cancels", n)
	}
}

// testLateCancel: a cancel that takes its time on the way (late) hits what runs or nothing, never
// what the client sends once the first query has ended.
func testLateCancel(t *testing.T, s *pgtest.Server) {
	begun, proceed := make(chan struct{}), make(chan struct{})
	l := open(t, s.URL(pgtest.Conn{}), func(_ *netConn, up *Upstream, _ *Options) {
		direct := up.Cancel
		up.Cancel = func(ctx context.Context) error {
			close(begun)
			<-proceed
			return direct(ctx)
		}
	})
	o := observe(t, s)
	l.say(&pgproto3.Query{String: "select pg_sleep(2)"}) // it must run still when the cancel begins
	o.until("PgSleep", waits(l))
	var wg sync.WaitGroup
	wg.Go(func() { l.Cancel(context.Background()) })
	<-begun
	hear[*pgproto3.ReadyForQuery](l) // the query has ended meanwhile
	l.say(&pgproto3.Query{String: "select pg_sleep(0.05)"})
	before := l.Snapshot().ClientBytes
	_ = l.conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if _, err := l.front.Receive(); err == nil || l.Snapshot().ClientBytes != before {
		t.Errorf("the second query was forwarded while a cancel was under way: %v", err)
	}
	close(proceed)
	wg.Wait()
	_ = l.conn.SetReadDeadline(time.Now().Add(patience))
	for {
		m, err := l.front.Receive()
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := m.(*pgproto3.ErrorResponse); ok {
			t.Fatalf("the second query was hit: %s", e.Message)
		}
		if _, ok := m.(*pgproto3.ReadyForQuery); ok {
			break
		}
	}
}

// testCancelStorm: cancels at every moment; a query fails only when its own cancel hits it, and the
// next one never does.
func testCancelStorm(t *testing.T, s *pgtest.Server) {
	l := open(t, s.URL(pgtest.Conn{}))
	c := l.pg()
	hit := 0
	for n := range 100 {
		done := make(chan struct{})
		go func() {
			defer close(done)
			l.Cancel(context.Background())
		}()
		_, err := c.Exec(t.Context(), "select pg_sleep(0.0005)").ReadAll()
		var e *pgconn.PgError
		if errors.As(err, &e) && e.Code == "57014" {
			hit++
		} else if err != nil {
			t.Fatal(err)
		}
		<-done // as a client that waits for its cancel connection to close
		if _, err := c.Exec(t.Context(), "select "+strconv.Itoa(n)).ReadAll(); err != nil {
			t.Fatalf("query %d was hit by an earlier cancel: %v", n, err)
		}
	}
	t.Logf("%d of 100 hit", hit)
}

// A client that vanishes while its own cancel is under way: the ROLLBACK waits.
func testGoneWhileCancelling(t *testing.T, s *pgtest.Server) {
	o := observe(t, s)
	l := open(t, s.URL(pgtest.Conn{}))
	l.run("begin; lock pg_class in share mode")
	l.say(&pgproto3.Query{String: "select pg_sleep(600)"})
	o.until("PgSleep", waits(l))
	var wg sync.WaitGroup
	wg.Go(func() { l.Cancel(context.Background()) })
	l.hangUp("RST")
	wg.Wait()
	if r := l.report(); !r.RolledBack || !r.Clean || r.Err != nil {
		t.Errorf("%+v", r)
	}
}
