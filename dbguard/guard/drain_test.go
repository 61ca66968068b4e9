package guard

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/devguard/devguard/dbguard/pgtest"
)

// held returns the sessions and locks of the role, apart from sessions of the
// test and of the guard, which may be on its way out.
func held(t *testing.T, s *pgtest.Server, except ...uint32) string {
	t.Helper()
	var not strings.Builder
	not.WriteString("0")
	for _, pid := range except {
		not.WriteString(fmt.Sprintf(",%d", pid))
	}
	rows := s.Query(t, "select pid, application_name, state, query from pg_stat_activity where usename = 'dev' and application_name <> 'devguard' and pid not in ("+not.String()+")"+
		" union all select pid, mode, locktype, '' from pg_locks where pid in (select pid from pg_stat_activity where usename = 'dev' and application_name <> 'devguard') and pid not in ("+not.String()+")")
	if len(rows) == 0 {
		return ""
	}
	return fmt.Sprint(rows)
}

// Twenty restarts with every state that an app can be killed in: nothing of it
// is left when Drain returns, and a colleague of the same role loses nothing.
func TestNothingIsLeftAndAColleagueIsUntouched(t *testing.T) {
	s, dev := server(t)
	colleague := connection(t, s.URL(pgtest.Conn{User: "dev", Database: "app", Params: "application_name=psql"}))
	run(t, colleague, "begin; update things set n = 1 where id = 20; prepare mine as select 42")
	for _, c := range []struct{ name, params string }{
		{"by label", ""},
		{"by socket", "application_name=my-service"},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := s.URL(pgtest.Conn{User: "dev", Database: "app", Params: c.params})
			g, log := open(t, Options{})
			var slowest time.Duration
			for gen := 1; gen <= 10; gen++ {
				env := appEnv(t, g, gen, "DATABASE_URL="+url)
				states := []string{"query tx idle", "idle", "temp tx"}[gen%3]
				a := startApp(t, env, states)
				g.RecordSockets(gen, []int{a.pid()})
				g.RecordSockets(gen, []int{a.pid()})
				a.kill()
				begun := time.Now()
				g.Drain(t.Context(), gen)
				slowest = max(slowest, time.Since(begun))
				if rest := held(t, s, colleague.PID()); rest != "" {
					t.Fatalf("generation %d (%s) left %s", gen, states, rest)
				}
				line := log.last(t, "drained")
				if number(line, "gen") != gen || number(line, "left") != 0 {
					t.Fatalf("drained: %v", line)
				}
			}
			if n := len(log.lines(t, "drained")); n != 10 {
				t.Errorf("%d drained lines for 10 restarts", n)
			}
			if n := len(log.lines(t, "database")); n != 1 {
				t.Errorf("%d database lines", n)
			}
			t.Logf("the slowest drain took %v", slowest)
		})
	}
	if colleague.TxStatus() != 'T' {
		t.Error("the colleague's transaction is gone")
	}
	run(t, colleague, "execute mine; update things set n = 2 where id = 20; commit")
	_ = dev
}

// The queries of an app that is killed in one go on; it is the drain that ends
// them, and it says how many.
func TestCounts(t *testing.T) {
	s, dev := server(t)
	g, log := open(t, Options{})
	env := appEnv(t, g, 1, "DATABASE_URL="+s.URL(dev))
	a := startApp(t, env, "query query")
	g.RecordSockets(1, []int{a.pid()})
	a.kill()
	g.Drain(t.Context(), 1)
	line := log.last(t, "drained")
	if number(line, "sessions") != 2 || number(line, "terminated") != 2 || number(line, "left") != 0 || number(line, "ms") < 0 {
		t.Errorf("drained: %v", line)
	}
	for _, absent := range []string{"cancelled", "rolled_back", "statements", "remaining"} {
		if _, ok := line[absent]; ok {
			t.Errorf("%s is not known in mode drain: %v", absent, line)
		}
	}
}

// A crash: nobody recorded any sockets.
func TestDrainWithoutNote(t *testing.T) {
	s, dev := server(t)
	g, log := open(t, Options{})
	a := startApp(t, appEnv(t, g, 3, "DATABASE_URL="+s.URL(dev)), "query")
	a.kill()
	g.Drain(t.Context(), 3)
	if line := log.last(t, "drained"); number(line, "terminated") != 1 || number(line, "left") != 0 {
		t.Errorf("drained: %v", line)
	}
}

// A session that the living generation, or any living process of this machine,
// holds is not ended, whatever its label.
func TestTheLivingAreSpared(t *testing.T) {
	s, dev := server(t)
	g, log := open(t, Options{})
	base := "DATABASE_URL=" + s.URL(dev)
	appEnv(t, g, 1, base)
	pooled := connection(t, s.URL(pgtest.Conn{User: "dev", Database: "app", Params: "application_name=" + label(runA, 1)}))
	younger := startApp(t, appEnv(t, g, 2, base), "idle")
	g.Drain(t.Context(), 1)
	run(t, pooled, "select 1")
	line := log.last(t, "bypass")
	if number(line, "pid") != int(pooled.PID()) || line["remote"] != pooled.Conn().LocalAddr().String() || line["hint"] == "" {
		t.Errorf("bypass: %v", line)
	}
	if line := log.last(t, "drained"); number(line, "sessions") != 0 || number(line, "left") != 0 {
		t.Errorf("drained: %v", line)
	}
	if held(t, s, pooled.PID()) == "" {
		t.Error("the younger generation's session is gone")
	}
	g.Drain(t.Context(), 2) // dead wrong, but the process lives: spared all the same
	if held(t, s, pooled.PID()) == "" {
		t.Error("the session of a living process is gone")
	}
	younger.kill()
}

// A port that another process got meanwhile is that process's.
func TestAPortUsedAgain(t *testing.T) {
	s, dev := server(t)
	g, log := open(t, Options{})
	appEnv(t, g, 1, "DATABASE_URL="+s.URL(dev))
	stranger := connection(t, s.URL(pgtest.Conn{User: "dev", Database: "app", Params: "application_name=other"}))
	g.RecordSockets(1, []int{testPid()}) // as if the app had held what this process holds
	g.Drain(t.Context(), 1)
	run(t, stranger, "select 1")
	if line := log.last(t, "drained"); number(line, "terminated") != 0 || number(line, "left") != 0 {
		t.Errorf("drained: %v", line)
	}
}

// What a killed devguard left is gone when the app is given its environment.
func TestSweep(t *testing.T) {
	s, dev := server(t)
	first, _ := open(t, Options{RunID: runB})
	a := startApp(t, appEnv(t, first, 7, "DATABASE_URL="+s.URL(dev)), "query tx")
	a.kill()
	g, log := open(t, Options{Previous: []string{runB}})
	env := []string{"DATABASE_URL=" + s.URL(dev)}
	if _, err := g.AppEnv(t.Context(), 1, env); err != nil {
		t.Fatal(err)
	}
	if rest := held(t, s); rest != "" {
		t.Errorf("left: %s", rest)
	}
	line := log.last(t, "drained")
	if _, has := line["gen"]; has || number(line, "terminated") < 1 {
		t.Errorf("drained: %v", line)
	}
	appEnv(t, g, 2, env...)
	if n := len(log.lines(t, "drained")); n != 1 {
		t.Errorf("a sweep with nothing to do is logged: %d lines", n)
	}
}

// While a generation merely runs there is no session of ours.
func TestNoSessionWhileQuiet(t *testing.T) {
	s, dev := server(t)
	g, _ := open(t, Options{Env: []string{"DATABASE_URL=" + s.URL(dev)}})
	settle(t, g)
	a := startApp(t, appEnv(t, g, 1, "DATABASE_URL="+s.URL(dev)), "idle")
	// The end of the probe's takes a moment at the server.
	until(t, func() bool {
		return len(s.Query(t, "select 1 from pg_stat_activity where application_name = 'devguard'")) == 0
	})
	g.RecordSockets(1, []int{a.pid()})
	a.kill()
	g.Drain(t.Context(), 1)
	s.Exec(t, "drop database app")
}

// A session that will not go: the drain ends in time and says what is left.
func TestWhatIsLeftIsNamed(t *testing.T) {
	s, dev := server(t)
	g, log := open(t, Options{Databases: []Database{{DrainTimeout: time.Second}}})
	a := startApp(t, appEnv(t, g, 1, "DATABASE_URL="+s.URL(dev)), "query")
	awaitState(t, s, "active")
	pid := s.Query(t, "select pid from pg_stat_activity where usename = 'dev' and application_name <> 'devguard'")[0][0]
	stopProcess(t, pid) // a backend that the kernel does not let run cannot end
	g.RecordSockets(1, []int{a.pid()})
	a.kill()
	begun := time.Now()
	g.Drain(t.Context(), 1)
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("the drain took %v", took)
	}
	line := log.last(t, "drained")
	text := fmt.Sprint(line["remaining"])
	if number(line, "left") != 1 || line["level"] != "WARN" ||
		!strings.Contains(text, "pid "+pid) || !strings.Contains(text, "pg_sleep(?)") || !strings.Contains(text, "RowExclusiveLock on things") {
		t.Errorf("drained: %v", line)
	}
	continueProcess(t, pid)
	g.Drain(t.Context(), 1)
}

// All sessions of the server are taken by the app itself.
func TestAServerThatIsFull(t *testing.T) {
	s, dev := server(t, pgtest.Set("max_connections", "8"))
	// 8 less the 3 for superusers are the app's: none is left to dial ahead, nor
	// after the kill, until the server notices that its clients are gone.
	g, log := open(t, Options{Env: []string{"DATABASE_URL=" + s.URL(dev)}, Databases: []Database{{DrainTimeout: 10 * time.Second}}})
	settle(t, g)
	a := startApp(t, appEnv(t, g, 1, "DATABASE_URL="+s.URL(dev)), "checked checked checked checked checked")
	g.RecordSockets(1, []int{a.pid()})
	awaitDial(t, g)
	a.kill()
	g.Drain(t.Context(), 1)
	if line := log.last(t, "drained"); number(line, "left") != 0 {
		t.Errorf("drained: %v", line)
	}
}

// awaitDial waits until the sessions dialled ahead are there, or refused.
func awaitDial(t *testing.T, g *Guard) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for _, u := range g.upstreams.all() {
		d := u.forDrain.dial // set by RecordSockets before it returns
		if d == nil {
			t.Fatalf("%s is not dialled", u.name)
		}
		select {
		case <-d.done:
		case <-ctx.Done():
			t.Fatal("the dial does not end")
		}
	}
}
