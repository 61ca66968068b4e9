package relay

import (
	"context"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devguard/devguard/dbguard/pgtest"
)

// interleave runs the ways by turns, each for a round of about 100 ms, and
// reports the mean of each and its ratio to the first.
func interleave(b *testing.B, names []string, ways []func()) {
	b.Helper()
	took, count := make([]time.Duration, len(ways)), make([]int, len(ways))
	for b.Loop() {
		for i, way := range ways {
			start := time.Now()
			for n := 0; n == 0 || time.Since(start) < 100*time.Millisecond; n++ {
				way()
				count[i]++
			}
			took[i] += time.Since(start)
		}
	}
	b.ReportMetric(0, "ns/op")
	direct := float64(took[0]) / float64(count[0])
	for i, name := range names {
		mean := float64(took[i]) / float64(count[i])
		b.ReportMetric(mean/1e3, "µs/"+name)
		if i > 0 {
			b.ReportMetric(mean/direct, name+"/"+names[0])
		}
	}
}

// targets are a client on the server, one through a relay, and one through a
// PgBouncer in session mode.
func targets(b *testing.B) (names []string, conns []*pgconn.PgConn) {
	s := pgtest.Start(b)
	bouncer := pgtest.PgBouncer(b, s, pgtest.Pool{Mode: "session"})
	connect := func(url string) *pgconn.PgConn {
		c, err := pgconn.Connect(context.Background(), url)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { c.Close(context.Background()) })
		return c
	}
	relayed := open(b, s.URL(pgtest.Conn{}))
	return []string{"direct", "relay", "pgbouncer"}, []*pgconn.PgConn{connect(s.URL(pgtest.Conn{})), relayed.pg(), connect(bouncer.URL(pgtest.Conn{}))}
}

func BenchmarkSelectOneRow(b *testing.B) {
	names, conns := targets(b)
	var ways []func()
	for _, c := range conns {
		if _, err := c.Prepare(context.Background(), "one", "select 1", nil); err != nil {
			b.Fatal(err)
		}
		ways = append(ways, func() {
			if r := c.ExecPrepared(context.Background(), "one", nil, nil, nil).Read(); r.Err != nil {
				b.Fatal(r.Err)
			}
		})
	}
	interleave(b, names, ways)
}

// Eight sessions at once: throughput when the processors are busy.
func BenchmarkSelectEightSessions(b *testing.B) {
	s := pgtest.Start(b)
	bouncer := pgtest.PgBouncer(b, s, pgtest.Pool{Mode: "session", Size: 8})
	var ways []func()
	for _, url := range []string{s.URL(pgtest.Conn{}), "", bouncer.URL(pgtest.Conn{})} {
		var conns []*pgconn.PgConn
		for range 8 {
			if url == "" {
				conns = append(conns, open(b, s.URL(pgtest.Conn{})).pg())
				continue
			}
			c, err := pgconn.Connect(context.Background(), url)
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { c.Close(context.Background()) })
			conns = append(conns, c)
		}
		ways = append(ways, func() { selectAll(b, conns) })
	}
	interleave(b, []string{"direct", "relay", "pgbouncer"}, ways)
}

// selectAll has every session select a row 20 times.
func selectAll(b *testing.B, conns []*pgconn.PgConn) {
	var wg sync.WaitGroup
	for _, c := range conns {
		wg.Go(func() {
			for range 20 {
				if r := c.ExecParams(context.Background(), "select 1", nil, nil, nil, nil).Read(); r.Err != nil {
					b.Error(r.Err)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkCopyOut100MB(b *testing.B) {
	names, conns := targets(b)
	var ways []func()
	for _, c := range conns {
		ways = append(ways, func() {
			if _, err := c.CopyTo(context.Background(), io.Discard, "copy (select repeat('x', 1000) from generate_series(1, 100000)) to stdout"); err != nil {
				b.Fatal(err)
			}
		})
	}
	interleave(b, names, ways)
}

func BenchmarkCopyIn100MB(b *testing.B) {
	names, conns := targets(b)
	var ways []func()
	for _, c := range conns {
		if _, err := c.Exec(context.Background(), "create temp table sink (a text)").ReadAll(); err != nil {
			b.Fatal(err)
		}
		ways = append(ways, func() {
			if _, err := c.CopyFrom(context.Background(), io.LimitReader(lines{}, 100<<20), "copy sink from stdin"); err != nil {
				b.Fatal(err)
			}
			if _, err := c.Exec(context.Background(), "truncate sink").ReadAll(); err != nil {
				b.Fatal(err)
			}
		})
	}
	interleave(b, names, ways)
}

// lines is endless text.
type lines struct{}

func (lines) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
		if i%1024 == 1023 {
			p[i] = '\n'
		}
	}
	return len(p), nil
}
