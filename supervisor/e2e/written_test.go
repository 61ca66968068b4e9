package e2e_test

import (
	"path/filepath"
	"strings"
	"testing"
)

// dumper is a server that writes its schema at each start, with the time in it.
var dumper = strings.NewReplacer(
	`"os"`, `"os"
	"time"`,
	`	http.HandleFunc`, `	os.MkdirAll("db", 0o755)
	os.WriteFile("db/schema.sql", []byte("-- "+time.Now().String()), 0o644)
	http.HandleFunc`).Replace(server)

// An app that writes into what restarts it is restarted three times by that. Edits
// elsewhere are served as ever, and the line that it is told, typed, ends it for good.
func TestAppThatWritesWhatRestartsIt(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{"main.go": dumper, "db/schema.sql": "", "devguard.toml": "watch.exclude = [\"x\"]\n"})
	port := freePort(t)
	url := "http://127.0.0.1:" + port
	d := run(t, dir, []string{"PORT=" + port})
	said := d.wait(0, "restart suspended", nil)
	hint, ok := said.Attrs["hint"].(string)
	const exclude = `watch.exclude = ["x", "db/schema.sql"]`
	if !ok || !strings.Contains(hint, exclude) || !strings.Contains(said.Raw, `"paths":["db/schema.sql"]`) {
		t.Errorf("said %s", said.Raw)
	}
	mark := d.mark()
	edit(t, filepath.Join(dir, "main.go"), `"v1"`, `"v2"`)
	d.serves(url, "v2 ")
	d.wait(mark, "instance started", nil) // the log may lag behind the app
	if n := d.count(0, "instance started"); n > 6 {
		t.Errorf("%d starts, want the first, three by the file and one by the edit\n%s", n, d.log())
	}
	mark = d.mark()
	saveWhole(t, filepath.Join(dir, "devguard.toml"), exclude+"\n")
	first := d.wait(mark, "instance started", nil).int("gen")
	edit(t, filepath.Join(dir, "main.go"), `"v2"`, `"v3"`)
	d.serves(url, "v3 ")
	d.wait(mark, "instance started", func(l line) bool { return l.int("gen") > first })
	if n := d.count(mark, "instance started"); n != 2 || d.count(0, "restart suspended") != 1 {
		t.Errorf("%d starts by two edits, suspended %d times\n%s", n, d.count(0, "restart suspended"), d.log())
	}
}

// A command has the whole tree, its own log among it. What exits at once must not go
// round either.
func TestCommandThatWritesItsLog(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"runs on":  "while :; do date +%N >> app.log; sleep 0.05; done",
		"exits":    "date +%N >> app.log",
		"crashes":  "date +%N >> app.log; exit 1",
		"at a new": "date +%N > report.html; exec sleep 1000",
	} {
		t.Run(name, func(t *testing.T) {
			dir := project(t, map[string]string{"app.log": "", "report.html": ""})
			d := run(t, dir, nil, "--", "sh", "-c", script)
			d.wait(0, "restart suspended", nil)
			mark := d.mark()
			saveWhole(t, filepath.Join(dir, "other.txt"), "edited")
			d.wait(mark, "instance started", nil)
			if n := d.count(0, "instance started"); n > 6 {
				t.Errorf("%d starts\n%s", n, d.log())
			}
		})
	}
}
