package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestBrokenSaveKeepsTheApp: the same process serves on; the error is said once,
// with file and line as the user would name the file; the repair is served.
func TestBrokenSaveKeepsTheApp(t *testing.T) {
	for name, tt := range map[string]struct{ file, old, new, position string }{
		"type error":       {"internal/text/text.go", `"v1"`, `5`, "internal/text/text.go:3:26: "},
		"syntax error":     {"internal/text/text.go", `func `, `fun `, "internal/text/text.go:3:1: "},
		"no package line":  {"internal/text/text.go", `package`, `packag`, "internal/text/text.go:1:1: "},
		"missing import":   {"cmd/app/main.go", `internal/text`, `internal/txt`, "cmd/app/main.go:8:2: "},
		"unknown module":   {"cmd/app/main.go", `example.com/app/internal/text`, `example.com/nowhere`, "cmd/app/main.go:8:2: "},
		"import cycle":     {"internal/text/text.go", "\n\n", "\n\nimport _ \"example.com/app/internal/text\"\n", "import cycle"},
		"broken go.mod":    {"go.mod", "go 1.25", "gone 1.25", "go.mod:3: "},
		"embed of nothing": {"internal/text/text.go", "\n\n", "\n\nimport _ \"embed\"\n//go:embed nothing.txt\nvar s string\n", "internal/text/text.go:4:12: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			port := freePort(t)
			url := "http://127.0.0.1:" + port
			main := strings.Replace(server, `"os"`, "\"os\"\n\n\t\"example.com/app/internal/text\"", 1)
			dir := project(t, map[string]string{
				"cmd/app/main.go":       strings.NewReplacer("const version = \"v1\"\n", "", "%s pid", "%s pid", "version,", "text.V(),").Replace(main),
				"internal/text/text.go": "package text\n\nfunc V() string { return \"v1\" }\n",
			})
			d := run(t, dir, []string{"PORT=" + port}, "./cmd/app")
			d.ready()
			before := get(url)
			mark := d.mark()
			file := filepath.Join(dir, filepath.FromSlash(tt.file))
			good, _ := os.ReadFile(file)
			edit(t, file, tt.old, tt.new)
			failed := d.wait(mark, "build failed", nil)
			if !strings.Contains(fmt.Sprint(failed.Attrs["errors"], failed.Attrs["error"]), tt.position) || failed.int("serving") != 1 {
				t.Errorf("not about %q, or not while 1 is serving: %s", tt.position, failed.Raw)
			}
			if body := get(url); body != before {
				t.Errorf("%q is served, before it was %q", body, before)
			}
			saveWhole(t, file, strings.Replace(string(good), `"v1"`, `"v2"`, 1))
			if !strings.Contains(string(good), `"v1"`) {
				edit(t, filepath.Join(dir, "internal/text/text.go"), `"v1"`, `"v2"`)
			}
			d.serves(url, "v2")
			shown := 0
			for _, l := range d.since(mark) {
				if l.str("level") == "ERROR" {
					shown++
				}
			}
			if shown != 1 {
				t.Errorf("one mistake is said %d times", shown)
			}
		})
	}
}

// TestBrokenAtStart: devguard waits for the repair, and says what it waits for.
func TestBrokenAtStart(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	dir := project(t, map[string]string{"main.go": strings.Replace(server, `"v1"`, `v1`, 1)})
	d := run(t, dir, []string{"PORT=" + port})
	d.wait(0, "build failed", nil)
	saveWhole(t, filepath.Join(dir, "main.go"), server)
	d.serves("http://127.0.0.1:"+port, "v1")
	if n := d.count(0, "build failed"); n != 1 {
		t.Errorf("%d failed builds", n)
	}
}

// TestSlowBuildUnderConstantSaves is P4: never two builds, generations all the
// same, no work directory left, and in the end the last state.
func TestSlowBuildUnderConstantSaves(t *testing.T) {
	const every = 200 * time.Millisecond
	saving := 5 * time.Second
	if *campaign {
		saving = 2 * time.Minute
	}
	port, tmp := freePort(t), t.TempDir()
	url := "http://127.0.0.1:" + port
	dir := project(t, map[string]string{
		"main.go":       server,
		"devguard.toml": "[build]\nflags = ['" + slowly(t, "0.5") + "']\n",
	})
	d := run(t, dir, []string{"PORT=" + port, "TMPDIR=" + tmp})
	d.ready()
	builds := countBuilds(d)
	mark, i := d.mark(), 1
	tick := time.NewTicker(every)
	defer tick.Stop()
	served := func() bool { return d.count(mark, "instance ready") > 0 }
	for began := time.Now(); time.Since(began) < saving || !served() && time.Since(began) < limit; <-tick.C {
		edit(t, filepath.Join(dir, "main.go"), fmt.Sprintf(`"v%d"`, i), fmt.Sprintf(`"v%d"`, i+1))
		i++
	}
	during := d.count(mark, "instance ready")
	d.serves(url, fmt.Sprintf("v%d ", i))
	if most := builds(); most != 1 {
		t.Errorf("%d builds at the same time", most)
	}
	t.Logf("%d saves, %d generations meanwhile, %d builds cancelled", i-1, during, d.count(mark, "build cancelled"))
	if during == 0 || d.count(mark, "build cancelled") == 0 {
		t.Error("under edits no generation appeared, or no build was cancelled")
	}
	if code := d.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	d.nothingLeft()
	for _, where := range []string{tmp, filepath.Join(dir, ".devguard", "app", "tmp")} {
		if left, _ := filepath.Glob(filepath.Join(where, "*")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

// countBuilds looks all the time how many `go build` there are; the answer is
// the most there were at any time.
func countBuilds(d *devguard) (most func() int) {
	stop, result := make(chan struct{}), make(chan int, 1)
	go func() {
		most := 0
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			most = max(most, len(d.builds()))
			select {
			case <-tick.C:
			case <-stop:
				result <- most
				return
			}
		}
	}()
	return func() int { close(stop); return <-result }
}

// builds are the `go build`s that run at one moment. A look at all processes
// takes a while, so they must be there after it, too; and what a build is about
// to execute carries its name for a moment, so its children do not count.
func (d *devguard) builds() []string {
	found := d.running("go build ")
	if len(found) < 2 {
		return found
	}
	isBuild := map[int]bool{}
	for _, p := range found {
		isBuild[pidOf(p)] = true
	}
	now := stats()
	return slices.DeleteFunc(found, func(p string) bool {
		st, alive := now[pidOf(p)]
		return !alive || st.state == "Z" || isBuild[st.parent]
	})
}

// pidOf is the pid of one that processes lists.
func pidOf(process string) int {
	number, _, _ := strings.Cut(process, ":")
	pid, _ := strconv.Atoi(number)
	return pid
}
