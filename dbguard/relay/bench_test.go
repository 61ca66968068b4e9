package relay

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devguard/devguard/dbguard/pgtest"
)

// interleave runs the ways by turns, each for a round of about 100 ms, and reports the mean of each
// and its ratio to the first.
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

// targets are clients on the server, through relays, and through a PgBouncer in session mode:
// sessions of each. The relays run in a process of their own, as PgBouncer does: in ours they would
// share a scheduler with the client.
func targets(b *testing.B, sessions int) (names []string, conns [][]*pgconn.PgConn) {
	s := pgtest.Start(b)
	bouncer := pgtest.PgBouncer(b, s, pgtest.Pool{Mode: "session", Size: sessions})
	address := relayProcess(b, s.URL(pgtest.Conn{}))
	conns = make([][]*pgconn.PgConn, 3)
	for range sessions {
		for i, url := range []string{s.URL(pgtest.Conn{}), "", bouncer.URL(pgtest.Conn{})} {
			conns[i] = append(conns[i], connect(b, cmp.Or(url, address), s.URL(pgtest.Conn{})))
		}
	}
	return []string{"direct", "relay", "pgbouncer"}, conns
}

// connect logs in at a URL; at a bare address, a relay's, it has been done.
func connect(b *testing.B, url, config string) *pgconn.PgConn {
	var c *pgconn.PgConn
	var err error
	if strings.HasPrefix(url, "postgres:") {
		c, err = pgconn.Connect(context.Background(), url)
	} else {
		var conn net.Conn
		if conn, err = net.Dial("tcp", url); err == nil {
			up := login(b, config) // for its parameters alone
			up.Conn.Close()
			c = construct(b, conn, up)
		}
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close(context.Background()) })
	return c
}

// TestMain is a relay's process when a benchmark starts the binary for that.
func TestMain(m *testing.M) {
	if url := os.Getenv("RELAY_BENCH"); url != "" {
		serveRelays(url)
		return
	}
	m.Run()
}

// relayProcess starts relays before url and returns where they listen.
func relayProcess(b *testing.B, url string) string {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "RELAY_BENCH="+url)
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		in.Close() // which ends it
		_ = cmd.Wait()
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(address)
}

// serveRelays relays whoever connects to a session of its own, until stdin ends.
func serveRelays(url string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(l.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		l.Close()
	}()
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		up, err := pgconn.Connect(context.Background(), url)
		if err != nil {
			panic(err)
		}
		if err := up.SyncConn(context.Background()); err != nil {
			panic(err)
		}
		h, err := up.Hijack()
		if err != nil {
			panic(err)
		}
		go New(client, Upstream{Conn: h.Conn}, newSession(), Options{}).Run(context.Background())
	}
}

func BenchmarkSelectOneRow(b *testing.B) {
	names, conns := targets(b, 1)
	var ways []func()
	for _, cs := range conns {
		c := cs[0]
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
	names, conns := targets(b, 8)
	var ways []func()
	for _, cs := range conns {
		ways = append(ways, func() { selectAll(b, cs) })
	}
	interleave(b, names, ways)
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
	names, conns := targets(b, 1)
	var ways []func()
	for _, cs := range conns {
		c := cs[0]
		ways = append(ways, func() {
			if _, err := c.CopyTo(context.Background(), io.Discard, "copy (select repeat('x', 1000) from generate_series(1, 100000)) to stdout"); err != nil {
				b.Fatal(err)
			}
		})
	}
	interleave(b, names, ways)
}

func BenchmarkCopyIn100MB(b *testing.B) {
	names, conns := targets(b, 1)
	var ways []func()
	for _, cs := range conns {
		c := cs[0]
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
