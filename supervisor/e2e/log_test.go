package e2e_test

import (
	"encoding/json"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/logline"
)

// checkLines holds every line that devguard wrote against the contract.
func (d *devguard) checkLines() {
	d.t.Helper()
	for _, l := range d.since(0) {
		if l.Msg == "" {
			continue
		}
		if _, err := time.Parse(time.RFC3339Nano, l.str("time")); err != nil {
			d.t.Errorf("time: %s", l.Raw)
		}
		if !slices.Contains([]string{"DEBUG", "INFO", "WARN", "ERROR"}, l.str("level")) {
			d.t.Errorf("level: %s", l.Raw)
		}
		attrs := maps.Clone(l.Attrs)
		for _, name := range []string{slog.TimeKey, slog.LevelKey, slog.MessageKey} {
			delete(attrs, name)
		}
		if err := logline.Check(l.Msg, attrs); err != nil {
			d.t.Errorf("%v: %s", err, l.Raw)
		}
	}
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
		if logline.Contract[l.Msg] != nil && l.Msg != "waiting" && l.Msg != "ignored" && l.Msg != "database" {
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
	sum := int64(0)
	for _, part := range []string{"settle_ms", "compile_ms", "link_ms", "stop_ms", "drain_ms", "start_ms"} {
		if ready.Attrs[part] == nil {
			t.Errorf("no %s: %s", part, ready.Raw)
		}
		sum += int64(ready.int(part))
	}
	if all := int64(ready.int("save_to_ready_ms")); ready.Attrs["hooks_ms"] != nil || sum > all+3 { // each is rounded
		t.Errorf("parts of %d ms in %d: %s", sum, all, ready.Raw)
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
