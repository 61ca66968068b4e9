package cmd

import (
	"strings"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/control"
)

func TestStatusText(t *testing.T) {
	s := control.Status{
		Devguard: control.About{Name: "shop", PID: 4, Dir: "/src", Runs: "./cmd/shop", Front: "127.0.0.1:9000"},
		Tree:     control.Tree{Doing: "idle"},
		Instance: control.Instance{Gen: 3, Phase: "running", Ready: true, PID: 9, Listening: []string{"127.0.0.1:8080"}},
		Waits:    []control.Wait{{What: "build", Kind: "build failed", Reason: "the last build failed"}},
		Failures: []control.Failure{{What: "build", Error: "x", Hint: "mend it", Total: 3, Errors: []control.Diagnostic{
			{File: "main.go", Line: 3, Column: 1, Text: "oops"}, {Text: "no place"}}},
			{What: "hook gen", Error: "hook gen failed with exit code 3"}, {What: "start", Error: "no such file"}},
		Builds:  control.Builds{Mode: "auto", Fast: 5, Verified: 2, Refused: []control.Refused{{Reason: "imports changed", Builds: 1}}},
		Hooks:   []control.Hook{{Name: "gen", State: "ok"}},
		Sockets: control.Sockets{Off: "it is switched off", Addresses: []control.Address{{Address: "127.0.0.1:8080", State: "let go: it is switched off"}}},
		Databases: []control.Database{{Name: "dev@db/shop", Mode: "session", Kind: "postgres",
			Sessions:    []control.Session{{Gen: 3, PID: 77, State: "idle", InMS: 1500, Query: "select ?"}},
			Generations: []control.Generation{{Gen: 2, Conflicts: map[string]uint64{"42P05": 2, "26000": 1}}, {Gen: 3, Prepared: 1}}}},
	}
	want := `shop      generation 3 is ready, pid 9, listening on 127.0.0.1:8080
failed    build: main.go:3:1: oops
failed    build: no place
          and 1 more
          hint: mend it
failed    hook gen failed with exit code 3
failed    start: no such file
waits     build: the last build failed
runs      ./cmd/shop, in /src; devguard has pid 4
front     http://127.0.0.1:9000
tree      idle
builds    5 fast, 2 verified, 1 by the go command: imports changed
hook      gen: ok
sockets   not held from one restart to the next: it is switched off
socket    127.0.0.1:8080: let go: it is switched off
database  dev@db/shop: mode session, postgres; 1 session
          pid 77 of generation 3: idle for 1.5s  select ?
          generation 2: 0 prepared statements, 1 conflict of 26000, 2 conflicts of 42P05
          generation 3: 1 prepared statement
`
	if got := statusText(s); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestHistoryText(t *testing.T) {
	save := int64(650)
	at := time.Date(2026, 1, 2, 12, 4, 5, 0, time.UTC)
	past := []control.Past{
		{Gen: 4, Builds: []control.PastBuild{{Outcome: "failed", MS: 90}}},
		{Gen: 3, Hooks: []control.PastHook{{Name: "sqlc", Outcome: "finished", MS: 30}}, Builds: []control.PastBuild{{Outcome: "cancelled"}, {Outcome: "finished", MS: 620}},
			Started: at, Ready: &control.PastReady{MS: 12, SaveToReadyMS: &save}},
		{Gen: 2, Skipped: "the binary is the same", Started: at, Failed: "not ready in time", Ended: &control.PastEnd{Code: -1, Signal: "SIGKILL"}},
		{Gen: 1, Started: at, Ended: &control.PastEnd{Code: 1}},
	}
	want := `past      generation 4: build failed in 90 ms
past      generation 3: hook sqlc finished in 30 ms, build finished in 620 ms, started 12:04:05, ready in 12 ms, 650 ms after the save
past      generation 2: not started: the binary is the same, started 12:04:05, failed: not ready in time, ended by SIGKILL
past      generation 1: started 12:04:05, exited with 1
`
	if got := historyText(past); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if n := strings.Count(historyText(make([]control.Past, 20)), "\n"); n != shownPast {
		t.Errorf("%d lines", n)
	}
}

func TestInstanceText(t *testing.T) {
	for want, i := range map[string]control.Instance{
		"nothing was started yet":                   {},
		"generation 2 has crashed":                  {Gen: 2, Phase: "crashed"},
		"generation 2 has exited":                   {Gen: 2, Phase: "exited"},
		"generation 2 could not be started":         {Gen: 2, Phase: "failed"},
		"generation 2 is draining":                  {Gen: 2, Phase: "draining"},
		"generation 2 was stopped":                  {Gen: 2, Phase: "none"},
		"generation 2 runs and is not ready, pid 7": {Gen: 2, Phase: "running", PID: 7},
	} {
		if got := instanceText(i); got != want {
			t.Errorf("%+v: %q, want %q", i, got, want)
		}
	}
}
