package e2e_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/control"
	"github.com/devguard/devguard/supervisor/statedir"
)

var waitEdits = flag.Int("wait-edits", 25, "how many edits TestWaitIsExact makes")

// waited is a module whose state is known: what it should serve, or why it cannot.
type waited struct {
	t   *testing.T
	d   *devguard
	dir string
	url string
	rnd *rand.Rand

	version, lib, page, schema int
	more                       []int // numbers of files that were added to package main
	broken, crash, badSchema   bool
	pages                      int // edits of the page since one of the source
}

// The program serves all that it is made of, or crashes at its start.
const waitedMain = `package main

import (
	"fmt"
	"net/http"
	"os"

	"example.com/app/lib"
)

const version, crash = %d, %v

var more []int

func main() {
	if crash {
		os.Exit(7)
	}
	page, _ := os.ReadFile("page.html")
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "version=%%d lib=%%d page=%%s schema=%%s more=%%d", version, lib.N, page, schema, len(more))
	})
	http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil)
}
%s`

func (w *waited) main() string {
	broken := ""
	if w.broken {
		broken = "broken"
	}
	return fmt.Sprintf(waitedMain, w.version, w.crash, broken)
}

func newWaited(t *testing.T, config string) *waited {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	w := &waited{t: t, rnd: rand.New(rand.NewPCG(seed, 0))}
	w.dir = project(t, map[string]string{
		"main.go": w.main(), "lib/lib.go": "package lib\n\nconst N = 0\n", "page.html": "0", "schema.txt": "0", "notes.md": "",
		"devguard.toml": config + strings.Replace(generator, "printf '%s;' \"$DEVGUARD_HOOK\" \"$DEVGUARD_CHANGED\" >> told.txt\n", "", 1),
	})
	for i := range 40 { // of no use to the program, but for their number
		write(t, filepath.Join(w.dir, fmt.Sprintf("other%d/other.go", i)), "package other\n")
	}
	port := freePort(t)
	w.url = "http://127.0.0.1:" + port
	w.d = run(t, w.dir, []string{"PORT=" + port}, "--name", "app")
	return w
}

func (w *waited) write(name, text string) { write(w.t, filepath.Join(w.dir, name), text) }

// edit changes something, and returns what.
func (w *waited) edit() string {
	for {
		switch what := w.rnd.IntN(14); what {
		case 0, 1:
			w.version++
			return w.save("a new version")
		case 2:
			w.broken = !w.broken
			return w.save(fmt.Sprint("broken ", w.broken))
		case 3:
			w.crash = !w.crash
			return w.save(fmt.Sprint("crash ", w.crash))
		case 4:
			w.broken, w.crash = false, false
			w.version++
			return w.save("all good")
		case 5:
			w.lib++
			w.pages = 0
			w.write("lib/lib.go", fmt.Sprintf("package lib\n\nconst N = %d\n", w.lib))
			return "the library"
		case 6:
			if w.pages > 0 {
				continue // the page may be taken for the app's own doing
			}
			w.pages++
			w.page++
			w.write("page.html", fmt.Sprint(w.page))
			return "the page"
		case 7:
			w.schema++
			w.badSchema = w.rnd.IntN(3) == 0
			w.write("schema.txt", w.schemaText())
			return "the schema " + w.schemaText()
		case 8:
			w.badSchema = false
			w.write("schema.txt", w.schemaText())
			return "a good schema"
		case 9:
			n := len(w.more)
			w.more = append(w.more, n)
			w.pages = 0
			w.write(fmt.Sprintf("more%d.go", n), fmt.Sprintf("package main\n\nfunc init() { more = append(more, %d) }\n", n))
			return "a new file"
		case 10:
			if len(w.more) == 0 {
				continue
			}
			n := len(w.more) - 1
			w.more = w.more[:n]
			w.pages = 0
			if err := os.Remove(filepath.Join(w.dir, fmt.Sprintf("more%d.go", n))); err != nil {
				w.t.Fatal(err)
			}
			return "a file less"
		case 11:
			return w.save("the same bytes")
		case 12:
			w.write("notes.md", fmt.Sprint(w.rnd.Uint64()))
			return "an ignored file"
		case 13:
			w.write(fmt.Sprintf("new%d/deep/x.go", w.rnd.Uint32()), "package deep\n")
			return "a new directory"
		}
	}
}

func (w *waited) save(what string) string {
	w.pages = 0
	w.write("main.go", w.main())
	return what
}

func (w *waited) schemaText() string {
	if w.badSchema {
		return "bad"
	}
	return fmt.Sprint(w.schema)
}

// want is what has to become of the tree as it is.
func (w *waited) want() string {
	if w.broken || w.crash || w.badSchema {
		return "failed"
	}
	return "served"
}

func (w *waited) serves() string {
	return fmt.Sprintf("version=%d lib=%d page=%d schema=%s more=%d", w.version, w.lib, w.page, w.schemaText(), len(w.more))
}

func client(t *testing.T, dir string) control.Client {
	t.Helper()
	var found []statedir.Running
	if !poll(limit, func() bool { found = statedir.Find(dir); return len(found) == 1 }) {
		t.Fatalf("found %v", found)
	}
	return control.Client{URL: found[0].URL, Token: found[0].Token}
}

// check asks for the verdict, and whether it is true; it returns how long after the fact it came,
// as far as the log tells when that was, and by which line.
func (w *waited) check(c control.Client, did []string) (late time.Duration, by string) {
	w.t.Helper()
	mark := w.d.mark()
	var got control.Waited
	if err := c.Get(context.Background(), "/v1/wait?timeout=2m", &got); err != nil {
		w.t.Fatal(err)
	}
	now := time.Now()
	if got.Outcome != w.want() {
		w.t.Fatalf("after %q the answer is %+v, want %s\n%s", did, got, w.want(), w.d.log())
	}
	if got.Outcome == "served" {
		if body := get(w.url); body != w.serves() {
			w.t.Fatalf("after %q it serves %q, want %q, and the answer was %+v\n%s", did, body, w.serves(), got, w.d.log())
		}
	}
	for _, l := range w.d.since(mark) {
		at, err := time.Parse(time.RFC3339Nano, l.str("time"))
		if slices.Contains(deciding, l.Msg) && err == nil && now.After(at) {
			late, by = now.Sub(at), l.Msg
		}
	}
	return late, by
}

// deciding are the lines of steps after which wait may have its answer. A listing that changes nothing
// has none.
var deciding = []string{
	"instance ready", "instance exited", "instance waiting", "restart skipped", "build finished", "build failed", "hook finished", "hook failed", "watching",
}

// TestWaitIsExact: random edits, one or two at once; wait gives the true answer about each.
func TestWaitIsExact(t *testing.T) {
	t.Parallel()
	edits := *waitEdits
	if *campaign {
		edits = 1000
	}
	for name, c := range map[string]struct {
		config string
		edits  int
	}{"events": {"", edits}, "poll": {"[watch]\npoll = \"1s\"\n", max(edits/5, 5)}} {
		t.Run(name, func(t *testing.T) { testWaitIsExact(t, c.config, c.edits) })
	}
}

func testWaitIsExact(t *testing.T, config string, edits int) {
	w := newWaited(t, config)
	c := client(t, w.dir)
	w.check(c, []string{"the start"})
	lates := map[string][]time.Duration{}
	for i := range edits {
		did := []string{fmt.Sprint("edit ", i), w.edit()}
		if w.rnd.IntN(4) == 0 && !strings.Contains(did[1], "schema") {
			did = append(did, w.edit()) // while the first is being built, or before
		}
		if late, by := w.check(c, did); by != "" {
			lates[by] = append(lates[by], late)
		}
	}
	for by, all := range lates {
		slices.Sort(all)
		n := len(all)
		t.Logf("%d edits; of %d answers behind %q the median came %v later, nine of ten within %v, the last %v", edits, n, by, all[n/2], all[n*9/10], all[n-1])
	}
}

// countingScript writes down how many files there are, and ends as the newest one says.
const countingScript = `ls data | wc -l > "$OUT"
case $(cat data/$(ls data | tail -n 1)) in
crash) exit 3 ;;
exit) exit 0 ;;
esac
exec sleep 1000
`

// TestWaitForACommandIsExact: likewise, of a command, whose start is all that is awaited.
func TestWaitForACommandIsExact(t *testing.T) {
	t.Parallel()
	edits := max(*waitEdits/5, 5)
	if *campaign {
		edits = 200
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	dir, out := project(t, map[string]string{
		"run.sh": countingScript, "data/00000.txt": "run", "notes.md": "",
		"devguard.toml": "name = \"app\"\n[app]\ncommand = [\"sh\", \"run.sh\"]\n[watch]\nexclude = [\"notes.md\"]\n",
	}), filepath.Join(t.TempDir(), "out")
	d := run(t, dir, []string{"OUT=" + out})
	c := client(t, dir)
	words := []string{"run"}
	for i := range edits {
		var got control.Waited
		mark, before := d.mark(), time.Now()
		// A new file each time: one that changes again and again soon after a start may be the app's.
		did := rnd.IntN(5)
		switch did {
		case 0:
			write(t, filepath.Join(dir, "notes.md"), fmt.Sprint(i))
		case 1:
			write(t, filepath.Join(dir, "run.sh"), countingScript)
		default:
			words = append(words, []string{"run", "crash", "exit"}[did-2])
			write(t, filepath.Join(dir, fmt.Sprintf("data/%05d.txt", len(words)-1)), words[len(words)-1])
		}
		if err := c.Get(context.Background(), "/v1/wait?timeout=2m", &got); err != nil {
			t.Fatal(err)
		}
		after := time.Now()
		word := words[len(words)-1] // one that is to crash was started, and may have crashed by now
		if got.Outcome != "served" && !(word == "crash" && got.Outcome == "failed") {
			t.Fatalf("edit %d: the answer is %+v, and the command is to %s\n%s", i, got, word, d.log())
		}
		if did > 1 {
			// The line of an earlier start may come behind the answer about it.
			var at time.Time
			d.wait(mark, "instance started", func(l line) bool {
				at, _ = time.Parse(time.RFC3339Nano, l.str("time"))
				return !at.Before(before)
			})
			if at.After(after) {
				t.Fatalf("edit %d: started at %v, answered between %v and %v\n%s", i, at, before, after, d.log())
			}
		}
		if !poll(limit, func() bool { n, _ := os.ReadFile(out); return strings.TrimSpace(string(n)) == fmt.Sprint(len(words)) }) {
			t.Fatalf("edit %d: it has seen %q files, want %d\n%s", i, readFile(t, out), len(words), d.log())
		}
	}
}

// TestWaitForACommand: of a command the start is all that is awaited, and one that has ended well
// was served.
func TestWaitForACommand(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{"run.sh": "echo run $(cat data.txt)\ntest $(cat data.txt) != sleep || exec sleep 1000\nexit $(cat code.txt)\n", "data.txt": "1", "code.txt": "0",
		"devguard.toml": "[app]\ncommand = [\"sh\", \"run.sh\"]\nrestart_on_crash = false\n"})
	d := run(t, dir, nil, "--name", "app")
	wait := func(want int) (stdout string) {
		t.Helper()
		stdout, stderr, code := ask(t, dir, "wait")
		if code != want {
			t.Fatalf("%d, want %d: %s%s\n%s", code, want, stdout, stderr, d.log())
		}
		return stdout
	}
	d.wait(0, "instance started", nil)
	wait(0)
	d.wait(0, "instance exited", nil) // before, it may read data.txt while that is written
	mark := d.mark()
	saveWhole(t, filepath.Join(dir, "data.txt"), "sleep")
	wait(0)
	if d.count(mark, "instance started") != 1 || !poll(limit, func() bool { return strings.Contains(d.out.String(), "run sleep") }) {
		t.Errorf("it was not started\n%s", d.log())
	}
	saveWhole(t, filepath.Join(dir, "code.txt"), "3")
	saveWhole(t, filepath.Join(dir, "data.txt"), "2")
	d.wait(mark, "instance exited", func(l line) bool { return l.int("code") == 3 })
	if stdout := wait(1); !strings.Contains(stdout, "crash") {
		t.Errorf("it says %q", stdout)
	}
}

// TestWaitCodes: the exit codes of wait, and what it prints.
func TestWaitCodes(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{"main.go": server})
	codes := func(want int, says string, args ...string) {
		t.Helper()
		stdout, stderr, code := ask(t, dir, append([]string{"wait"}, args...)...)
		if code != want || !strings.Contains(stdout+stderr, says) {
			t.Fatalf("wait %q: %d, want %d: %s%s", args, code, want, stdout, stderr)
		}
	}
	codes(4, "hint: start it: devguard run")
	d := run(t, dir, []string{"PORT=" + freePort(t)}, "--name", "app")
	client(t, dir)
	codes(3, "hint: wait longer with --timeout", "--timeout", "0s")
	codes(0, "served by generation 1")
	edit(t, filepath.Join(dir, "main.go"), "v1", "v2\" + oops + \"")
	codes(1, "main.go:9:24: undefined: oops")
	codes(1, `"file":"main.go","line":9`, "--json")
	edit(t, filepath.Join(dir, "main.go"), "v2\" + oops + \"", "v2")
	codes(0, "served by generation 2")
	source := readFile(t, filepath.Join(dir, "main.go"))
	saveWhole(t, filepath.Join(dir, "main.go"), source+"\nfunc init() { panic(\"at the start\") }\n")
	codes(1, "start: the app crashed")
	saveWhole(t, filepath.Join(dir, "main.go"), source)
	codes(0, "served by generation")
	codes(2, "hint", "--timeout", "soon")
	if code := d.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	codes(4, "no devguard runs")
}
