package e2e_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/devguard/devguard/dbguard/pgtest"
	"github.com/devguard/devguard/supervisor/control"
)

// status is what `devguard status --json` says in dir.
func statusIn(t *testing.T, dir string) (s control.Status) {
	t.Helper()
	stdout, stderr, code := ask(t, dir, "status", "--json")
	if err := json.Unmarshal([]byte(stdout), &s); err != nil || code != 0 || stderr != "" {
		t.Fatalf("%d %v: %s%s", code, err, stdout, stderr)
	}
	return s
}

// address returns what is said of one; the zero value when nothing is.
func address(s control.Status, at string) control.Address {
	for _, a := range s.Sockets.Addresses {
		if a.Address == at {
			return a
		}
	}
	return control.Address{}
}

// TestStatusOfAddresses: who has them, from the first generation to the day after.
func TestStatusOfAddresses(t *testing.T) {
	t.Parallel()
	app, err := listensApp()
	if err != nil {
		t.Fatal(err)
	}
	addr := "127.0.0.1:" + freePort(t)
	dir := project(t, map[string]string{"sockets": "tag save0\nlisten " + addr, "devguard.toml": fmt.Sprintf(
		"[app]\ngrace = '300ms'\nrestart_on_crash = false\ncommand = [%q, 'sockets']\n[watch]\ninclude = ['sockets']\n", app)})
	d := run(t, dir, nil)
	d.ready()
	d.save(dir, addr, 1)
	s := statusIn(t, dir)
	if a := address(s, addr); a.Kind != "listening" || a.Gen != 2 || len(s.Sockets.Addresses) != 1 {
		t.Errorf("%+v", s.Sockets.Addresses)
	}
	if len(s.History) != 2 || s.History[0].Gen != 2 || s.History[0].Ready == nil || s.History[0].Ready.SaveToReadyMS == nil || s.History[0].Ended != nil {
		t.Errorf("history: %+v", s.History)
	} else if first := s.History[1]; first.Gen != 1 || first.PID == 0 || first.Ready == nil || first.Ended == nil || first.Ended.Signal != "" {
		t.Errorf("history: %+v", first)
	}
	// It ends by itself: its address is held for the next one.
	mark := d.mark()
	saveWhole(t, filepath.Join(dir, "sockets"), "listen "+addr+"\nsleep 1500ms\nexit 1")
	d.wait(mark, "instance exited", func(l line) bool { return l.int("gen") == 3 })
	if !poll(limit, func() bool { return address(statusIn(t, dir), addr).Kind == "held" }) {
		t.Errorf("%+v", statusIn(t, dir).Sockets)
	}
	s = statusIn(t, dir)
	if a := address(s, addr); a.Since.IsZero() || s.History[0].Ended == nil || s.History[0].Ended.Code != 1 {
		t.Errorf("%+v, history %+v", a, s.History[0])
	}
	if text, _, _ := ask(t, dir, "status"); !strings.Contains(text, "socket    "+addr+": held since ") || !strings.Contains(text, "past      generation 3: ") ||
		!strings.Contains(text, "exited with 1\n") {
		t.Errorf("%s", text)
	}
	// The next one does not want it.
	mark = d.mark()
	saveWhole(t, filepath.Join(dir, "sockets"), "sleep 1h")
	d.wait(mark, "listening socket let go", nil)
	if a := address(statusIn(t, dir), addr); a.Kind != "let go" || a.Reason == "" {
		t.Errorf("%+v", a)
	}
}

// TestResetConnections: the sessions end, on the server too, and what they had with them; the app
// goes on. The verb and key d do the same.
func TestResetConnections(t *testing.T) {
	t.Parallel()
	s := database(t)
	colleague := session(t, s.URL(pgtest.Conn{Database: "app"}))
	bin, err := pgappBinary()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "page.html"), "restarts the app 0")
	write(t, filepath.Join(dir, "devguard.toml"), "")
	term := newTerminal(t)
	d := term.on(prepare(t, dir, []string{"DATABASE_URL=" + s.URL(dev), "PGAPP_PLANS=query tx idle prepared temp", "PORT=" + freePort(t)}, "--", bin))
	d.start()
	for gen, reset := range []func() control.Reset{
		func() control.Reset {
			stdout, stderr, code := ask(t, dir, "reset-connections", "--json")
			var done control.Resets
			if err := json.Unmarshal([]byte(stdout), &done); err != nil || code != 0 || len(done.Databases) != 1 {
				t.Fatalf("%d %v: %s%s", code, err, stdout, stderr)
			}
			return done.Databases[0]
		},
		func() control.Reset {
			mark := d.mark()
			term.typed("d")
			d.wait(mark, "sessions of the app that were ended, as asked: 5", nil)
			return control.Reset{Sessions: 5, Cancelled: 1, RolledBack: 1, Statements: 2}
		},
	} {
		gen++
		ready := d.wait(0, "instance ready", ofGen(gen))
		awaitQuery(t, s, 1)
		before := statusIn(t, dir)
		held := before.Databases[0]
		if len(held.Sessions) != 5 || held.Generations[0].Gen != gen || held.Generations[0].Prepared == 0 {
			t.Errorf("generation %d has %+v", gen, held)
		}
		done := reset()
		if done.Sessions != 5 || done.Cancelled != 1 || done.RolledBack != 1 || done.Statements != held.Generations[0].Prepared && gen == 1 || done.Left != 0 {
			t.Errorf("done: %+v of %+v", done, held.Generations[0])
		}
		if !poll(limit, func() bool { return len(sessionsOf(t, s, "dev")) == 0 }) {
			t.Errorf("left on the server: %v", sessionsOf(t, s, "dev"))
		}
		after := statusIn(t, dir)
		for _, g := range after.Databases[0].Generations {
			if g.Prepared != 0 {
				t.Errorf("prepared statements are left: %+v", g)
			}
		}
		if after.Instance.PID != before.Instance.PID || after.Instance.Gen != gen || !after.Instance.Ready || len(after.Databases[0].Sessions) != 0 {
			t.Errorf("after: %+v, ready was %s", after.Instance, ready.Raw)
		}
		must(t, colleague, "do $$ begin assert (select count(*) from things where n = 0) = 20, 'a table was touched'; end $$")
		restartByPage(t, dir, gen)
	}
	d.wait(0, "instance ready", ofGen(3))
	if code := d.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
