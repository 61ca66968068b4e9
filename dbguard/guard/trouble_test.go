package guard

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devguard/devguard/dbguard/pgtest"
)

// strait is the way between the guard and a server: it can be frozen, where
// nothing arrives and nothing is closed, and cut, where everything is closed.
type strait struct {
	l    net.Listener
	to   string
	work sync.WaitGroup

	mu     sync.Mutex
	thawed sync.Cond
	frozen bool
	after  int // freeze after so many bytes of the server's; 0: never
	open   map[net.Conn]bool
}

// narrows opens a strait to a server.
func narrows(t *testing.T, to string) *strait {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &strait{l: l, to: to, open: map[net.Conn]bool{}}
	w.thawed.L = &w.mu
	w.work.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			w.work.Go(func() { w.carry(near) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		w.cut()
		w.freeze(false)
		w.work.Wait()
	})
	return w
}

// url leads a URL of the server through the strait.
func (w *strait) url(url string) string {
	return strings.Replace(url, w.to, w.l.Addr().String(), 1)
}

func (w *strait) freeze(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.frozen, w.after = on, 0
	w.thawed.Broadcast()
}

// freezeAfter freezes once the server has said so many bytes more.
func (w *strait) freezeAfter(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.after = n
}

// cut closes every connection.
func (w *strait) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.open {
		_ = c.Close()
	}
	clear(w.open)
}

// pass waits while the strait is frozen.
func (w *strait) pass() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.frozen {
		w.thawed.Wait()
	}
}

func (w *strait) carry(near net.Conn) {
	w.pass()
	far, err := net.Dial("tcp", w.to)
	if err != nil {
		_ = near.Close()
		return
	}
	w.mu.Lock()
	w.open[near], w.open[far] = true, true
	w.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { w.copy(far, near, false) })
	both.Go(func() { w.copy(near, far, true) })
	both.Wait()
	w.mu.Lock()
	delete(w.open, near)
	delete(w.open, far)
	w.mu.Unlock()
}

// copy passes bytes on, and the end.
func (w *strait) copy(to, from net.Conn, server bool) {
	defer to.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		w.mu.Lock()
		if server && w.after > 0 {
			if w.after -= n; w.after <= 0 {
				w.after, w.frozen = 0, true
			}
		}
		w.mu.Unlock()
		w.pass()
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// within fails the test when f takes longer, also on a starved machine.
func within(t *testing.T, limit time.Duration, what string, f func()) {
	t.Helper()
	begun := time.Now()
	f()
	if took := time.Since(begun); took > limit+starved {
		t.Errorf("%s took %v, more than %v", what, took, limit)
	} else {
		t.Logf("%s took %v", what, took)
	}
}

// code is what a client was told: an SQLSTATE, or that its connection broke.
func code(err error) string {
	var server *pgconn.PgError
	switch {
	case err == nil:
		return "nothing"
	case errors.As(err, &server):
		return server.Code
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), strings.Contains(err.Error(), "reset by peer"),
		strings.Contains(err.Error(), "broken pipe"), strings.Contains(err.Error(), "conn closed"):
		return "closed"
	}
	return err.Error()
}

// recovers polls until a client is served; until then it must be told why not.
func recovers(t *testing.T, url string) *pgconn.PgConn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	for {
		conn, err := pgconn.Connect(ctx, url)
		if err == nil {
			_, err = conn.Exec(ctx, "select 1").ReadAll()
		}
		if err == nil {
			t.Cleanup(func() { closeConn(context.Background(), conn) })
			return conn
		}
		switch c := code(err); c {
		case "57P03", "57P01", "57P02", "53300", "08001", "08P01", "closed":
		default:
			t.Fatalf("while it recovers a client is told %q: %v", c, err)
		}
		sleep(ctx, 10*time.Millisecond)
	}
}

// TestUpstreamTrouble: it ends, or the way to it does.
func TestUpstreamTrouble(t *testing.T) {
	s, dev := server(t, trusting, pgtest.Set("max_connections", "60"))
	t.Run("it ends", func(t *testing.T) { upstreamEnds(t, s, dev) })
	t.Run("network stands still", func(t *testing.T) { networkStandsStill(t, s, dev) })
	t.Run("network stops in the middle", func(t *testing.T) { networkStopsInTheMiddle(t, s, dev) })
	t.Run("network is cut", func(t *testing.T) { connectionsAreCut(t, s, dev) })
	t.Run("its name is lost", func(t *testing.T) { nameDoesNotResolve(t, s, dev) })
}

// upstreamEnds: whichever way it does, a client through us hears what one hears
// that is connected itself, and the next is served without anybody's help.
func upstreamEnds(t *testing.T, s *pgtest.Server, dev pgtest.Conn) {
	pool := pgtest.PgBouncer(t, s, pgtest.Pool{Settings: map[string]string{"auth_type": "trust"}})
	backends := func(t *testing.T, sig syscall.Signal, limit string) {
		for _, row := range s.Query(t, "select pid from pg_stat_activity where query = 'select pg_sleep(600)' limit "+limit) {
			signalProcess(t, row[0], sig)
		}
	}
	for _, c := range []struct {
		name, url, hears string // "": what the server's processes manage to say
		end              func(t *testing.T)
	}{
		{"fast", s.URL(dev), "57P01", func(t *testing.T) { s.Restart(t) }},
		{"immediate", s.URL(dev), "", func(t *testing.T) {
			signalProcess(t, strconv.Itoa(s.Pid()), syscall.SIGQUIT)
			s.Stop(t) // waits
			s.StartAgain(t)
		}},
		{"a backend killed", s.URL(dev), "", func(t *testing.T) { backends(t, syscall.SIGKILL, "1") }},
		{"backends terminated", s.URL(dev), "57P01", func(t *testing.T) { backends(t, syscall.SIGTERM, "9") }},
		{"the pooler killed", pool.URL(dev), "closed", func(t *testing.T) { pool.Kill(t); pool.StartAgain(t) }},
		{"the server behind the pooler", pool.URL(dev), "57P01", func(t *testing.T) { s.Restart(t) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, log := open(t, Options{Databases: auto(Database{DrainTimeout: time.Second})})
			led := through(t, g, 1, c.url)
			heard := map[string]string{}
			var both sync.WaitGroup
			var mu sync.Mutex
			for name, url := range map[string]string{"direct": c.url, "through": led} {
				busy := recovers(t, url)
				both.Go(func() {
					_, err := busy.Exec(context.Background(), "select pg_sleep(600)").ReadAll()
					mu.Lock()
					heard[name] = code(err)
					mu.Unlock()
				})
			}
			until(t, func() bool {
				return s.Query(t, "select count(*) from pg_stat_activity where query = 'select pg_sleep(600)' and state = 'active'")[0][0] == "2"
			})
			c.end(t)
			both.Wait()
			for who, what := range heard {
				if what != c.hears && (c.hears != "" || !slices.Contains([]string{"closed", "57P01", "57P02"}, what)) {
					t.Errorf("%s it is %s", who, what)
				}
			}
			recovers(t, s.URL(dev))
			s.Exec(t, "select pg_terminate_backend(pid) from pg_stat_activity where query = 'select pg_sleep(600)'") // of a killed pooler
			recovers(t, led)
			g.RecordSockets(1, nil)
			within(t, 1500*time.Millisecond, "the drain", func() { g.Drain(t.Context(), 1) })
			recovers(t, through(t, g, 2, c.url))
			if line := log.last(t, "drained"); number(line, "left") > 0 {
				t.Errorf("%v", line)
			}
		})
	}
}

// standing is a generation of the app in every state, with the next one's session
// dialled ahead, when its network stops.
type standing struct {
	g      *Guard
	log    *record
	way    *strait
	url    string
	next   string // the URL of generation 2
	logins sync.WaitGroup
}

func stand(t *testing.T, s *pgtest.Server, dev pgtest.Conn, timeout time.Duration) *standing {
	t.Helper()
	c := &standing{way: narrows(t, net.JoinHostPort(s.Host, strconv.Itoa(s.Port)))}
	c.g, c.log = open(t, Options{Databases: auto(Database{DrainTimeout: timeout})})
	c.url = c.way.url(s.URL(dev))
	led := through(t, c.g, 1, c.url)
	for _, sql := range []string{"select 1", "begin; update things set n = 1 where id = 7", "listen x"} {
		run(t, connection(t, led), sql)
	}
	busy := connection(t, led)
	c.logins.Go(func() { _, _ = busy.Exec(context.Background(), "select pg_sleep(600)").ReadAll() })
	awaitState(t, s, "active")
	c.next = through(t, c.g, 2, c.url)
	until(t, func() bool { return c.g.Status().Upstreams[0].Spares > 0 })
	c.way.freeze(true)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	for range 3 {
		c.logins.Go(func() {
			if conn, err := pgconn.Connect(ctx, led); err == nil {
				closeConn(ctx, conn)
			}
		})
	}
	until(t, func() bool { return len(c.g.Status().Upstreams[0].Sessions) == 7 })
	return c
}

// networkStandsStill: nothing arrives and nothing is closed. All bounds hold,
// and once it goes on again so does the app, and nothing of the old generation is
// left at the server.
func networkStandsStill(t *testing.T, s *pgtest.Server, dev pgtest.Conn) {
	t.Run("Pause and Drain", func(t *testing.T) {
		const timeout = 300 * time.Millisecond
		c := stand(t, s, dev, timeout)
		var resume func(bool)
		ctx, cancel := context.WithTimeout(t.Context(), 2*timeout) // else as long as sessions are given to finish
		defer cancel()
		within(t, 2*timeout+500*time.Millisecond, "the pause", func() { resume = c.g.Pause(ctx, "migrate", nil) })
		within(t, closeLimit+500*time.Millisecond, "the resume", func() { resume(false) })
		within(t, 200*time.Millisecond, "RecordSockets", func() { c.g.RecordSockets(1, nil) })
		within(t, timeout+500*time.Millisecond, "the drain", func() { c.g.Drain(t.Context(), 1) })
		within(t, timeout+500*time.Millisecond, "the drain with spares", func() { c.g.Drain(t.Context(), 2) })
		c.logins.Wait()
		if line := c.log.lines(t, "drained")[0]; line["level"] != "WARN" || line["reason"] == nil {
			t.Errorf("%v", line)
		}
		c.way.freeze(false)
		recovers(t, through(t, c.g, 3, c.url))
		until(t, func() bool {
			return s.Query(t, "select count(*) from pg_stat_activity where application_name in ('"+label(runA, 1)+"', '"+label(runA, 2)+"')")[0][0] == "0"
		})
	})
	t.Run("Close", func(t *testing.T) {
		c := stand(t, s, dev, time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		within(t, time.Second, "Close", func() { _ = c.g.Close(ctx) })
		c.logins.Wait()
	})
}

// networkStopsInTheMiddle of the drain's own session, wherever that is: the
// drain ends in time all the same.
func networkStopsInTheMiddle(t *testing.T, s *pgtest.Server, dev pgtest.Conn) {
	const timeout = 300 * time.Millisecond
	for _, bytes := range []int{1, 420, 550} {
		t.Run(strconv.Itoa(bytes), func(t *testing.T) {
			way := narrows(t, net.JoinHostPort(s.Host, strconv.Itoa(s.Port)))
			g, log := open(t, Options{Databases: auto(Database{DrainTimeout: timeout})})
			kill(recovers(t, through(t, g, 1, way.url(s.URL(dev)))))
			until(t, func() bool { return len(g.Status().Upstreams[0].Sessions) == 0 })
			way.freezeAfter(bytes)
			within(t, timeout+500*time.Millisecond, "the drain", func() { g.Drain(t.Context(), 1) })
			t.Log(log.last(t, "drained"))
			way.freeze(false)
			recovers(t, through(t, g, 2, way.url(s.URL(dev))))
		})
	}
}

// connectionsAreCut: each client hears that its own is, and the next is served.
func connectionsAreCut(t *testing.T, s *pgtest.Server, dev pgtest.Conn) {
	way := narrows(t, net.JoinHostPort(s.Host, strconv.Itoa(s.Port)))
	g, _ := open(t, Options{Databases: auto(Database{})})
	led := through(t, g, 1, way.url(s.URL(dev)))
	for range 5 {
		conn := recovers(t, led)
		way.cut()
		if _, err := conn.Exec(t.Context(), "select 1").ReadAll(); code(err) != "closed" {
			t.Errorf("the client hears %v", err)
		}
	}
	recovers(t, led)
	within(t, 2500*time.Millisecond, "the drain", func() { g.Drain(t.Context(), 1) })
}

// TestServerIsFull: the app hears it in the server's words, and is served as soon
// as there is room.
func TestServerIsFull(t *testing.T) {
	s, dev := server(t, trusting, pgtest.Set("max_connections", "6"), pgtest.Set("superuser_reserved_connections", "2"))
	g, _ := open(t, Options{Databases: auto(Database{})})
	led := through(t, g, 1, s.URL(dev))
	recovers(t, led)
	var all []*pgconn.PgConn
	for {
		conn, err := pgconn.Connect(t.Context(), led)
		if err != nil {
			if code(err) != "53300" {
				t.Error(err)
			}
			break
		}
		all = append(all, conn)
	}
	_, own := pgconn.Connect(t.Context(), s.URL(dev))
	if _, err := pgconn.Connect(t.Context(), led); code(err) != "53300" || code(own) != "53300" || errors.Unwrap(err) == nil {
		t.Errorf("through us %v, directly %v", err, own)
	}
	kill(all[0])
	recovers(t, led)
	begun := time.Now()
	g.Drain(t.Context(), 1)
	if took := time.Since(begun); took > 2500*time.Millisecond || sessionsOf(t, s) != "0" {
		t.Errorf("after %v %s sessions are left", took, sessionsOf(t, s))
	}
}

// nameDoesNotResolve for a while.
func nameDoesNotResolve(t *testing.T, s *pgtest.Server, dev pgtest.Conn) {
	g, _ := open(t, Options{Databases: auto(Database{})})
	led := through(t, g, 1, strings.Replace(s.URL(dev), s.Host, "database.invalid", 1))
	var lookup func(context.Context, string) ([]string, error)
	names := func(f func(context.Context, string) ([]string, error)) {
		for _, u := range g.upstreams.all() {
			to := *u.access()
			to.config = to.config.Copy()
			lookup, to.config.LookupFunc = to.config.LookupFunc, f
			u.learn(to)
		}
	}
	for range 2 {
		if _, err := pgconn.Connect(t.Context(), led); !errors.Is(err, syscall.ECONNRESET) || code(err) != "closed" {
			t.Errorf("%v", err)
		}
		names(func(context.Context, string) ([]string, error) { return []string{s.Host}, nil })
		conn := recovers(t, led)
		names(lookup)
		s.Restart(t)
		_, _ = conn.Exec(t.Context(), "select 1").ReadAll()
	}
	g.RecordSockets(1, nil)
	within(t, 2500*time.Millisecond, "the drain", func() { g.Drain(t.Context(), 1) })
}

// TestCloseEndsWhoIsStillThere: a stranger at a fixed address hears why, and Close
// does not wait for him until its context ends.
func TestCloseEndsWhoIsStillThere(t *testing.T) {
	s, dev := server(t)
	address := freeAddress(t)
	g, _ := open(t, Options{Databases: auto(Database{Listen: address})})
	through(t, g, 1, s.URL(dev))
	stranger := connection(t, strings.Replace(s.URL(dev), net.JoinHostPort(s.Host, strconv.Itoa(s.Port)), address, 1))
	run(t, stranger, "begin; update things set n = 1 where id = 7")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	within(t, 2*time.Second, "Close", func() {
		if err := g.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	if n := sessionsOf(t, s); n != "0" {
		t.Errorf("%s sessions are left", n)
	}
	if _, err := stranger.Exec(t.Context(), "select 1").ReadAll(); code(err) != "57P01" {
		t.Errorf("the stranger hears %v", err)
	}
}
