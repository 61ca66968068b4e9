package e2e_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// late serves /healthz with 503 until a file is there.
var late = strings.Replace(server, "func main() {\n", `func main() {
	http.HandleFunc("/healthz", func(w http.ResponseWriter, r *http.Request) {
		if _, err := os.Stat("warm"); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
`, 1)

// TestReadyRules: `instance ready` comes once a generation, by the rule that is
// configured, and not before.
func TestReadyRules(t *testing.T) {
	for name, tt := range map[string]struct{ toml, source, rule string }{
		"nothing configured": {"", server, "listening"},
		"path":               {"[ready]\nhttp = '/healthz'\n", late, "http"},
		"url":                {"[ready]\nhttp = 'http://127.0.0.1:PORT/healthz'\n", late, "http"},
		"address":            {"[ready]\ntcp = '127.0.0.1:PORT'\n", server, "tcp"},
		"listens on nothing": {"", strings.Replace(polite, `"hello"`, `"v1"`, 1), "alive"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			port := freePort(t)
			dir := project(t, map[string]string{
				"main.go":       tt.source,
				"devguard.toml": strings.ReplaceAll(tt.toml, "PORT", port) + "\n",
			})
			d := run(t, dir, []string{"PORT=" + port})
			if tt.rule == "http" {
				d.wait(0, "instance started", nil)
				d.serves("http://127.0.0.1:"+port, "v1")
				if d.count(0, "instance ready") > 0 {
					t.Error("ready before /healthz says so")
				}
				write(t, filepath.Join(dir, "warm"), "")
			}
			first := d.ready()
			mark := d.mark()
			edit(t, filepath.Join(dir, "main.go"), `"v1"`, `"v2"`)
			second := d.wait(mark, "instance ready", nil)
			for i, l := range []line{first, second} {
				if !l.readyBy(tt.rule) || l.int("gen") != i+1 || l.int("ms") < 0 || (l.int("save_to_ready_ms") > 0) != (i == 1) {
					t.Errorf("generation %d: %s", i+1, l.Raw)
				}
			}
			d.stop()
			if n := d.count(0, "instance ready"); n != 2 {
				t.Errorf("ready %d times", n)
			}
		})
	}
}

// TestNotReadyInTime says what was awaited and what was seen; the app goes on.
func TestNotReadyInTime(t *testing.T) {
	for name, tt := range map[string]struct{ toml, awaited, seen string }{
		"http": {"http = '/healthz'", "GET /healthz on 127.0.0.1:%s", "503"},
		"tcp":  {"tcp = '127.0.0.1:1'", "127.0.0.1:1", "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			port := freePort(t)
			if strings.Contains(tt.awaited, "%s") {
				tt.awaited = fmt.Sprintf(tt.awaited, port)
			}
			dir := project(t, map[string]string{"main.go": late, "devguard.toml": "[ready]\ntimeout = '5s'\n" + tt.toml + "\n"})
			d := run(t, dir, []string{"PORT=" + port})
			said := d.wait(0, "instance not ready", nil)
			if s := said.str("error"); !strings.Contains(s, "5s") || !strings.Contains(s, tt.awaited) || !strings.Contains(s, tt.seen) {
				t.Errorf("says %s", said.Raw)
			}
			d.serves("http://127.0.0.1:"+port, "v1")
		})
	}
}
