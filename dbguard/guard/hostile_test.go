package guard

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/devguard/devguard/dbguard/pgtest"
)

// attacks are what anybody on the machine can do at a listener: each until the
// listener closes it, or it has had enough.
var attacks = map[string]func(c net.Conn){
	"garbage": func(c net.Conn) {
		p := make([]byte, 4096)
		for i := range p {
			p[i] = byte(rand.Uint32())
		}
		_, _ = c.Write(p)
		_, _ = io.Copy(io.Discard, c)
	},
	"HTTP":              says([]byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")),
	"truncated startup": says(wire(startup)[:15]),
	"giant startup":     says(binary.BigEndian.AppendUint32(nil, 1<<30), make([]byte, 1<<16)),
	"negative length":   says([]byte{0xff, 0xff, 0xff, 0xff, 0, 3, 0, 0}),
	"giant response":    says(wire(startup), []byte{'p', 0x3f, 0xff, 0xff, 0xff}, make([]byte, 1<<16)),
	"query, no login":   says(wire(startup, &pgproto3.Query{String: "select pg_sleep(60)"})),
	"wrong proof": says(wire(startup, &pgproto3.SASLInitialResponse{AuthMechanism: "SCRAM-SHA-256", Data: []byte("n,,n=,r=abc")},
		&pgproto3.SASLResponse{Data: []byte("c=biws,r=abc,p=" + strings.Repeat("A", 43) + "=")})),
	"foreign cancel": says(wire(&pgproto3.CancelRequest{ProcessID: 1, SecretKey: []byte{1, 2, 3, 4}})),
	"slow startup": func(c net.Conn) {
		for _, b := range wire(startup)[:20] {
			if _, err := c.Write([]byte{b}); err != nil {
				return
			}
			<-time.After(10 * time.Millisecond)
		}
	},
	"never reads": func(c net.Conn) {
		_ = c.(*net.TCPConn).SetReadBuffer(1)
		for range 2000 {
			if _, err := c.Write(wire(&pgproto3.SSLRequest{})); err != nil {
				return
			}
		}
	},
}

// startup is the startup message of a client that is allowed in.
var startup = &pgproto3.StartupMessage{
	ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": "dev", "database": "app"},
}

// wire returns messages as they go over the wire.
func wire(messages ...pgproto3.FrontendMessage) (out []byte) {
	for _, m := range messages {
		out, _ = m.Encode(out)
	}
	return out
}

// says is an attack that says something and listens for a while.
func says(parts ...[]byte) func(net.Conn) {
	return func(c net.Conn) {
		_, _ = c.Write(bytes.Join(parts, nil))
		_ = c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		_, _ = io.Copy(io.Discard, c)
	}
}

// besiege attacks a listener in all ways at once, again and again, until stop is called,
// which returns how often.
func besiege(address string) (stop func() int) {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	var mu sync.Mutex
	count := 0
	for _, attack := range attacks {
		all.Go(func() {
			for ctx.Err() == nil {
				c, err := net.Dial("tcp", address)
				if err != nil {
					continue
				}
				release := context.AfterFunc(ctx, func() { _ = c.Close() })
				attack(c)
				release()
				_ = c.Close()
				mu.Lock()
				count++
				mu.Unlock()
			}
		})
	}
	return func() int { cancel(); all.Wait(); return count }
}

// TestHostile is about who comes to a listener.
func TestHostile(t *testing.T) {
	s, dev := server(t, trusting)
	t.Run("attacks", func(t *testing.T) { listenerUnderAttack(t, s, dev) })
	t.Run("silence", func(t *testing.T) { twoThousandSilent(t, s, dev) })
	t.Run("clients", func(t *testing.T) { clientsThatMisbehave(t, s, dev) })
}

// listenerUnderAttack: while everybody throws what he has at it, an app works
// through the listener and is restarted; nothing but the app reaches the server.
func listenerUnderAttack(t *testing.T, s *pgtest.Server, dev pgtest.Conn) {
	g, _ := open(t, Options{Databases: auto(Database{})})
	led := through(t, g, 1, s.URL(dev))
	recovers(t, led)
	before := holds()
	stop := besiege(g.Status().Upstreams[0].Listen)
	for gen := 1; gen <= 2; gen++ {
		var workers sync.WaitGroup
		for range 4 {
			workers.Go(func() { work(t, led) })
		}
		workers.Wait()
		busy := connection(t, led)
		ended := make(chan struct{})
		go func() { defer close(ended); _, _ = busy.Exec(context.Background(), "select pg_sleep(600)").ReadAll() }()
		awaitState(t, s, "active")
		users := s.Query(t, "select count(*) from pg_stat_activity where usename = 'dev' and application_name <> 'devguard' and application_name <> '"+label(runA, gen)+"'")[0][0]
		if users != "0" {
			t.Errorf("%s sessions that are not the app's", users)
		}
		g.RecordSockets(gen, nil)
		within(t, time.Second, "the drain", func() { g.Drain(t.Context(), gen) })
		<-ended
		if n := sessionsOf(t, s); n != "0" {
			t.Errorf("%s sessions are left", n)
		}
		led = through(t, g, gen+1, s.URL(dev))
	}
	t.Logf("%d attacks", stop())
	g.Drain(t.Context(), 3)
	assertNoMore(t, before)
}

// work checks some answers.
func work(t *testing.T, url string) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	conn, err := pgconn.Connect(ctx, url)
	if err != nil {
		t.Error(err)
		return
	}
	defer closeConn(ctx, conn)
	for n := range 50 {
		r := conn.ExecParams(ctx, "select $1::int * 2", [][]byte{fmt.Append(nil, n)}, nil, nil, nil).Read()
		if r.Err != nil || len(r.Rows) != 1 || string(r.Rows[0][0]) != fmt.Sprint(2*n) {
			t.Errorf("%v %q", r.Err, r.Rows)
			return
		}
	}
}

// twoThousandSilent connections neither delay a restart nor end the sessions
// that there are.
func twoThousandSilent(t *testing.T, s *pgtest.Server, dev pgtest.Conn) {
	g, _ := open(t, Options{Databases: auto(Database{})})
	conn := recovers(t, through(t, g, 1, s.URL(dev)))
	before := holds()
	address := g.Status().Upstreams[0].Listen
	var silent []net.Conn
	for range 2000 {
		c, err := net.DialTimeout("tcp", address, 5*time.Second)
		if err != nil {
			t.Logf("after %d: %v", len(silent), err)
			break
		}
		silent = append(silent, c)
	}
	during := holds()
	t.Logf("%d connections: before %+v, during %+v", len(silent), before, during)
	if grown := during.memory - before.memory; grown > 16<<20 {
		t.Errorf("%d bytes for %d connections", grown, len(silent))
	}
	run(t, conn, "select 1")
	kill(conn)
	g.RecordSockets(1, nil)
	within(t, 500*time.Millisecond, "the drain", func() { g.Drain(t.Context(), 1) })
	if n := sessionsOf(t, s); n != "0" {
		t.Errorf("%s sessions are left", n)
	}
	for _, c := range silent {
		_ = c.Close()
	}
	within(t, 5*time.Second, "the next login", func() { run(t, recovers(t, through(t, g, 2, s.URL(dev))), "select 1") })
}

// clientsThatMisbehave: one that has logged in stops reading, talks nonsense or
// announces a gigabyte. Its generation is replaced in time, and our memory stays.
func clientsThatMisbehave(t *testing.T, s *pgtest.Server, dev pgtest.Conn) {
	pool := pgtest.PgBouncer(t, s, pgtest.Pool{Settings: map[string]string{"auth_type": "trust"}})
	announce := func(kind byte, size uint32) func(c net.Conn) {
		return func(c net.Conn) {
			_, _ = c.Write(binary.BigEndian.AppendUint32([]byte{kind}, size))
			_, _ = c.Write(make([]byte, 1<<20))
		}
	}
	query := func(sql string) func(c net.Conn) {
		b, _ := (&pgproto3.Query{String: sql}).Encode(nil)
		return func(c net.Conn) { _, _ = c.Write(b) }
	}
	for _, where := range []struct{ name, url string }{{"session", s.URL(dev)}, {"transaction", pool.URL(dev)}} {
		g, _ := open(t, Options{Databases: auto(Database{DrainTimeout: time.Second})})
		gen := 0
		for _, c := range []struct {
			name string
			do   func(net.Conn)
		}{
			{"100 MB that nobody reads", query("select repeat('x', 100000) from generate_series(1, 1000)")},
			{"COPY of 100 MB that nobody reads", query("copy (select repeat('x', 100000) from generate_series(1, 1000)) to stdout")},
			{"garbage", func(c net.Conn) { _, _ = c.Write([]byte("\x00\x01garbage\xff\xff\xff\xff and more of it")) }},
			{"a negative length", func(c net.Conn) { _, _ = c.Write([]byte{'Q', 0xff, 0xff, 0xff, 0xff}) }},
			{"a gigabyte of Query", announce('Q', 1<<30)},
			{"a gigabyte of Parse", announce('P', 1<<30-8)},
			{"a gigabyte of Bind", announce('B', 1<<30-8)},
			{"a gigabyte of what there is not", announce('!', 1<<30-8)},
			{"queries without end and nobody reads", func(c net.Conn) {
				_ = c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
				flood := []byte(strings.Repeat("Q\x00\x00\x00\x10select 1+1;\x00", 1000))
				for {
					if _, err := c.Write(flood); err != nil {
						return
					}
				}
			}},
		} {
			t.Run(where.name+"/"+c.name, func(t *testing.T) {
				gen++
				led := through(t, g, gen, where.url)
				good := recovers(t, led)
				bad, err := pgconn.Connect(t.Context(), led)
				if err != nil {
					t.Fatal(err)
				}
				defer kill(bad)
				before := holds()
				c.do(bad.Conn())
				sleep(t.Context(), 20*time.Millisecond) // as an attack has it: what it fills is full by then
				if grown := holds().memory - before.memory; grown > 8<<20 {
					t.Errorf("%d bytes more", grown)
				}
				run(t, good, "select 1")
				g.RecordSockets(gen, nil)
				within(t, 1500*time.Millisecond, "the drain", func() { g.Drain(t.Context(), gen) })
				until(t, func() bool {
					return s.Query(t, "select count(*) from pg_stat_activity where usename = 'dev' and state <> 'idle'")[0][0] == "0"
				})
			})
		}
	}
}
