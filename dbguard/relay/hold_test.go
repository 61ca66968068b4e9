package relay

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/devguard/devguard/dbguard/pgtest"
)

func testHold(t *testing.T, s *pgtest.Server) {
	l := open(t, s.URL(pgtest.Conn{}))
	l.run("begin")
	l.Hold()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := l.AwaitIdle(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("in a transaction: %v", err)
	}
	l.run("select 1") // an open transaction goes on
	l.run("commit")
	if err := l.AwaitIdle(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.say(&pgproto3.Query{String: "select 1"})
	_ = l.conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if _, err := l.front.Receive(); err == nil {
		t.Error("a held query was answered")
	}
	l.Release()
	hear[*pgproto3.ReadyForQuery](l)
}

// testHoldUnderLoad: whatever a client does, while its session is held and idle the server has no
// transaction of it; afterwards it goes on without an error.
func testHoldUnderLoad(t *testing.T, s *pgtest.Server) {
	o := observe(t, s)
	o.ask("create table things (id int, n int); insert into things values (1, 0)")
	l := open(t, s.URL(pgtest.Conn{}))
	c := l.pg()
	var done atomic.Int32
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			for _, sql := range []string{"begin", "update things set n = n + 1", "commit"} {
				if r := c.ExecParams(context.Background(), sql, nil, nil, nil, nil).Read(); r.Err != nil {
					t.Error(r.Err)
					return
				}
			}
			done.Add(1)
		}
	})
	for range 50 {
		l.Hold()
		if err := l.AwaitIdle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if state := o.ask("select state from pg_stat_activity where pid = " + l.itsPid()); state != "idle" {
			t.Errorf("held session is %q", state)
		}
		before := done.Load()
		l.Release()
		for deadline := time.Now().Add(patience); done.Load() == before && time.Now().Before(deadline); {
			o.ask("select 1")
		}
	}
	close(stop)
	wg.Wait()
	if n := o.ask("select n from things"); n == "0" {
		t.Error("nothing happened")
	}
}
