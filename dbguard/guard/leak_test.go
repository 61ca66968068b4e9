package guard

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/devguard/devguard/dbguard/login"
	"github.com/devguard/devguard/dbguard/pgtest"
)

// A server in these tests lets everybody in: hundreds of SCRAM logins upstream
// would be most of their time, and are not what they look at.
var trusting = pgtest.HBA("local all all trust", "host all all 127.0.0.1/32 trust")

// holdings is what this process has of what can leak.
type holdings struct {
	goroutines, descriptors int
	memory                  int64 // bytes of heap and stacks after a collection
}

// holds returns what this process holds now.
func holds() holdings {
	runtime.GC()
	runtime.GC() // the second empties what sync.Pools kept through the first
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	h := holdings{goroutines: runtime.NumGoroutine(), memory: int64(m.HeapAlloc + m.StackInuse)}
	for _, dir := range []string{"/proc/self/fd", "/dev/fd"} {
		if list, err := os.ReadDir(dir); err == nil {
			h.descriptors = len(list)
			break
		}
	}
	return h
}

// assertNoMore waits until there is no more than before, but for a few of each
// that a connection of the test's own or the runtime may have at the moment.
func assertNoMore(t *testing.T, before holdings) {
	t.Helper()
	const few, memory = 4, 3 << 20
	var now holdings
	deadline := time.Now().Add(10 * time.Second)
	for {
		now = holds()
		if now.goroutines <= before.goroutines+few && now.descriptors <= before.descriptors+few && now.memory <= before.memory+memory {
			t.Logf("before %+v, after %+v", before, now)
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("before %+v, after %+v\n%.8000s", before, now, stacks())
		}
		sleep(t.Context(), 20*time.Millisecond)
	}
}

// TestFiveHundredClientsLeaveNothing: half of them are killed in the middle of a
// query. What they asked was answered rightly, and when they are gone we and the
// server hold what we held before.
func TestFiveHundredClientsLeaveNothing(t *testing.T) {
	s, dev := server(t, trusting, pgtest.Set("max_connections", "620"), pgtest.Set("shared_buffers", "16MB"))
	pool := pgtest.PgBouncer(t, s, pgtest.Pool{Size: 20, Settings: map[string]string{"max_client_conn": "1000", "auth_type": "trust"}})
	t.Run("session", func(t *testing.T) { crowd(t, s, s.URL(dev), modeSession) })
	t.Run("transaction", func(t *testing.T) { crowd(t, s, pool.URL(dev), modeTransaction) })
	t.Run("idle", func(t *testing.T) { costOfIdle(t, s.URL(dev)) })
}

// crowd sends 500 clients through a guard of url.
func crowd(t *testing.T, s *pgtest.Server, url string, want mode) {
	const clients = 500
	// Behind the pool of 20 the queries are cancelled 20 at a time: let that take its time. When it is
	// over, a session that is closed makes way for the query of the next one, which nobody cancels.
	g, log := open(t, Options{Databases: auto(Database{DrainTimeout: patience})})
	led := through(t, g, 1, url)
	first := connection(t, led)
	run(t, first, "select 1")
	closeConn(t.Context(), first)
	if line := log.last(t, "database"); line["mode"] != string(want) {
		t.Fatalf("%v", line)
	}
	until(t, func() bool { return len(g.Status().Upstreams[0].Sessions) == 0 })
	before, queued := holds(), s.Query(t, "select count(*) from pg_stat_activity where usename = 'dev'")[0][0]

	var all, there sync.WaitGroup
	there.Add(clients)
	leave := make(chan struct{})
	// Fewer log in at once than there are slots: on a machine with too much to do
	// the listener takes a login that is slow while others wait for one that is silent.
	slots := make(chan struct{}, login.Slots-4)
	for i := range clients {
		all.Go(func() { crowdClient(t, led, i, slots, &there, leave) })
	}
	there.Wait()
	if n := len(g.Status().Upstreams[0].Sessions); n != clients {
		t.Errorf("%d sessions of %d clients", n, clients)
	}
	close(leave)
	all.Wait()
	untilWithin(t, patience, func() bool { return len(g.Status().Upstreams[0].Sessions) == 0 })
	until(t, func() bool {
		return s.Query(t, "select count(*) from pg_stat_activity where usename = 'dev' and state <> 'idle'")[0][0] == "0"
	})
	if want == modeSession {
		until(t, func() bool { return sessionsOf(t, s) == queued })
	}
	assertNoMore(t, before)
	begun := time.Now()
	g.Drain(t.Context(), 1)
	if took := time.Since(begun); took > 2500*time.Millisecond {
		t.Errorf("a drain with nothing to do took %v", took)
	}
}

// crowdClient is one client: it checks some answers, says that it is there, and when
// all are leaves, every other one in the middle of a query.
func crowdClient(t *testing.T, url string, i int, slots chan struct{}, there *sync.WaitGroup, leave <-chan struct{}) {
	arrived := sync.OnceFunc(there.Done)
	defer arrived()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	slots <- struct{}{}
	conn, err := pgconn.Connect(ctx, url)
	<-slots
	if err != nil {
		t.Errorf("client %d: %v", i, err)
		return
	}
	defer kill(conn)
	if _, err := conn.Prepare(ctx, "mine", fmt.Sprintf("select $1::int + %d", i), nil); err != nil {
		t.Errorf("client %d: %v", i, err)
		return
	}
	for n := range 4 {
		r := conn.ExecPrepared(ctx, "mine", [][]byte{[]byte(strconv.Itoa(n))}, nil, nil).Read()
		if r.Err != nil || len(r.Rows) != 1 || string(r.Rows[0][0]) != strconv.Itoa(n+i) {
			t.Errorf("client %d: %v %q", i, r.Err, r.Rows)
			return
		}
	}
	arrived()
	<-leave
	if i%2 == 0 {
		return
	}
	conn.Frontend().Send(&pgproto3.Query{String: "begin; select pg_sleep(600)"})
	if err := conn.Frontend().Flush(); err != nil {
		t.Errorf("client %d: %v", i, err)
	}
	if tcp, ok := conn.Conn().(*net.TCPConn); ok && i%4 == 1 {
		_ = tcp.SetLinger(0) // by RST
	}
}

// costOfIdle prints what an idle session costs us: its clients are in another
// process.
func costOfIdle(t *testing.T, url string) {
	g, _ := open(t, Options{Databases: auto(Database{})})
	env := appEnv(t, g, 1, "DATABASE_URL="+url)
	warm := startApp(t, env, "idle")
	before := holds()
	const apps, each = 3, 40
	var all []*app
	for range apps {
		all = append(all, startApp(t, env, strings.Repeat("idle ", each)))
	}
	now := holds()
	per := (now.memory - before.memory) / (apps * each)
	t.Logf("an idle session costs %d bytes, %.1f goroutines and %.1f descriptors", per,
		float64(now.goroutines-before.goroutines)/(apps*each), float64(now.descriptors-before.descriptors)/(apps*each))
	if per > 128<<10 {
		t.Errorf("%d bytes for an idle session", per)
	}
	for _, a := range append(all, warm) {
		a.kill()
	}
	g.Drain(t.Context(), 1)
}

// stacks returns those of all goroutines.
func stacks() string {
	b := make([]byte, 1<<20)
	for {
		n := runtime.Stack(b, true)
		if n < len(b) {
			return string(b[:n])
		}
		b = make([]byte, 2*len(b))
	}
}
