package e2e_test

import (
	"encoding/json"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// schema is design.md §3: the attributes of each line and their types. A name
// that ends in ? may be absent.
var schema = map[string]map[string]string{
	"watching":          {"dirs": "int", "files": "int", "mode": "events|poll"},
	"changed":           {"gen": "int", "paths": "strings"},
	"ignored":           {"paths": "strings", "reason": "string"},
	"hook started":      {"gen": "int", "hook": "string"},
	"hook finished":     {"gen": "int", "hook": "string", "ms": "int"},
	"hook failed":       {"gen": "int", "hook": "string", "ms": "int", "code": "int", "signal?": "string", "serving?": "int", "error?": "string", "hint?": "string"},
	"hook held":         {"gen": "int", "hook": "string", "reason": "string"},
	"hook suspended":    {"gen": "int", "hook": "string", "paths": "strings"},
	"build started":     {"gen": "int"},
	"build finished":    {"gen": "int", "ms": "int"},
	"build failed":      {"gen": "int", "ms": "int", "serving?": "int", "error?": "string", "errors?": "strings", "hint?": "string"},
	"build cancelled":   {"gen": "int", "ms": "int"},
	"restart skipped":   {"gen": "int", "reason": "string", "serving?": "int", "hint?": "string"},
	"instance stopping": {"gen": "int", "pid": "int"},
	"instance started":  {"gen": "int", "pid": "int"},
	"instance ready":    {"gen": "int", "rule": "http|tcp|listening|alive", "ms": "int", "save_to_ready_ms?": "int"},
	"instance exited":   {"gen": "int", "code": "int", "signal?": "string"},
	"drained": {"database": "string", "gen?": "int", "sessions?": "int", "cancelled?": "int", "rolled_back?": "int",
		"terminated?": "int", "statements?": "int", "left?": "int", "remaining?": "strings", "reason?": "string", "ms": "int"},
	"database": {"mode": "session|transaction|drain|off", "kind?": "postgres|session-pooler|transaction-pooler|unknown", "reason?": "string",
		"database?": "string", "env?": "string", "hint?": "string"},
	"conflict": {"sqlstate": "string", "fingerprint": "string", "database": "string", "gen?": "int"},
	"bypass":   {"pid": "int", "remote": "string", "database?": "string", "hint": "string"},
}

// checkLines holds every line that devguard wrote against the schema.
func (d *devguard) checkLines() {
	d.t.Helper()
	for _, l := range d.since(0) {
		want, stable := schema[l.Msg]
		if l.Msg == "" || !stable {
			continue
		}
		if _, err := time.Parse(time.RFC3339Nano, l.str("time")); err != nil {
			d.t.Errorf("time: %s", l.Raw)
		}
		if !slices.Contains([]string{"DEBUG", "INFO", "WARN", "ERROR"}, l.str("level")) {
			d.t.Errorf("level: %s", l.Raw)
		}
		seen := 3 // time, level, msg
		for name, kind := range want {
			optional := name[len(name)-1] == '?'
			value, ok := l.Attrs[strings.TrimSuffix(name, "?")]
			if !ok && optional {
				continue
			}
			seen++
			if !ofKind(value, kind) {
				d.t.Errorf("%s is not %s: %s", name, kind, l.Raw)
			}
		}
		if seen != len(l.Attrs) {
			d.t.Errorf("an attribute that the design does not name: %s", l.Raw)
		}
	}
}

func ofKind(value any, kind string) bool {
	switch kind {
	case "int":
		n, ok := value.(float64)
		return ok && n == math.Trunc(n)
	case "string":
		s, ok := value.(string)
		return ok && s != ""
	case "strings":
		list, ok := value.([]any)
		return ok && !slices.ContainsFunc(list, func(v any) bool { return !ofKind(v, "string") })
	}
	s, ok := value.(string)
	return ok && slices.Contains(strings.Split(kind, "|"), s)
}

// TestLogOfARestart: the lines of a save, in their order.
func TestLogOfARestart(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	dir := project(t, map[string]string{
		"main.go": "// Command app.\n" + server, "a.txt": "1",
		"devguard.toml": "[[hook]]\nname = 'copy'\nwatch = ['a.txt']\nrun = 'echo copied'\nthen = 'rebuild'\n",
	})
	d := run(t, dir, []string{"PORT=" + port}, "-v")
	d.ready()
	mark := d.mark()
	edit(t, filepath.Join(dir, "main.go"), `"v1"`, `"v2"`)
	ready := d.wait(mark, "instance ready", nil)
	var order []string
	for _, l := range d.since(mark) {
		if schema[l.Msg] != nil && l.Msg != "ignored" && l.Msg != "database" {
			order = append(order, l.Msg)
		}
		if l.Raw == ready.Raw {
			break
		}
	}
	want := []string{"changed", "build started", "build finished", "instance stopping", "instance exited", "instance started", "instance ready"}
	if !slices.Equal(order, want) {
		t.Errorf("order of the lines: %q, want %q", order, want)
	}
	changed := d.wait(mark, "changed", nil)
	if paths, _ := json.Marshal(changed.Attrs["paths"]); string(paths) != `["main.go"]` || changed.int("gen") != 2 {
		t.Errorf("changed: %s", changed.Raw)
	}

	mark = d.mark()
	write(t, filepath.Join(dir, "unrelated.md"), "x")
	if l := d.wait(mark, "ignored", nil); l.str("level") != "DEBUG" || !strings.Contains(l.Raw, "unrelated.md") {
		t.Errorf("ignored: %s", l.Raw)
	}
	mark = d.mark()
	edit(t, filepath.Join(dir, "main.go"), "// ", "//  ")
	d.wait(mark, "restart skipped", nil)
	mark = d.mark()
	write(t, filepath.Join(dir, "a.txt"), "2")
	d.wait(mark, "hook finished", nil)
	d.wait(mark, "restart skipped", nil)

	d.stop()
	if exited := d.wait(mark, "instance exited", nil); exited.int("code") != -1 || exited.str("signal") != "SIGTERM" {
		t.Errorf("exited: %s", exited.Raw)
	}
}
