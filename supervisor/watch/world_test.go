package watch

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/classify"
)

// patience is how long a test waits for what must come. It is reached only by failures.
const patience = 20 * time.Second

// world is a small module in a temporary directory, and a watcher of it.
type world struct {
	*testing.T
	root string
	plan Plan
	w    *Watcher
	seen seen
}

// seen is what the sets have told so far.
type seen struct {
	change.Snapshot
	ops     map[string]change.Op
	ignored map[string]string // path to reason
	notes   []change.Note
	sets    int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	d := &world{T: t, root: root}
	d.reset()
	d.write("go.mod", "module example.com/m\n")
	d.write("main.go", "package main\n\nfunc main() {}\n")
	d.write("a/a.go", "package a\n")
	d.write("a/page/x.html", "<p>")
	d.write(".env", "A=1\n")
	d.write("devguard.toml", "")
	d.write("db/schema.sql", "create table t ();\n")
	d.write("tmpl/index.html", "<html>")
	d.plan = d.makePlan()
	return d
}

func (d *world) makePlan() Plan {
	return Plan{
		Rules: &classify.Rules{
			Base: d.root,
			Graph: &classify.Graph{
				Package: "example.com/m",
				Files: map[string]classify.Role{
					d.path("go.mod"):        classify.Module,
					d.path("main.go"):       classify.GoFile,
					d.path("a/a.go"):        classify.GoFile,
					d.path("a/page/x.html"): classify.Embedded,
				},
				Dirs: map[string]classify.Dir{
					d.root:      {Package: "example.com/m"},
					d.path("a"): {Package: "example.com/m/a", Embeds: []string{"page"}},
				},
				MainDir: d.root,
				Roots:   []string{d.root},
				Match:   func(_, name string) bool { return !strings.Contains(name, "_windows") },
			},
			Include:  []string{"**/*.html"},
			Assets:   []string{"static/**"},
			EnvFiles: []string{".env"},
			Config:   d.path("devguard.toml"),
			Hooks:    []classify.Hook{{Name: "sql", Watch: []string{"db/**/*.sql"}, Outputs: []string{"gen/**"}}},
		},
		Walk:   []string{d.root},
		Header: header,
	}
}

// header is the part of a file up to its first empty line.
func header(_ string, src []byte) change.Digest {
	head, _, _ := strings.Cut(string(src), "\n\n")
	return change.DigestOf([]byte(strings.TrimSpace(head)))
}

func (d *world) path(name string) string { return filepath.Join(d.root, filepath.FromSlash(name)) }

func (d *world) write(name, contents string) {
	d.Helper()
	path := d.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		d.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(contents), 0o644); err != nil {
		d.Fatal(err)
	}
}

// replace has the file change at once: there is no moment at which it is empty.
func (d *world) replace(name, contents string) {
	d.Helper()
	aside := filepath.Join(d.TempDir(), "aside")
	d.must(os.WriteFile(aside, []byte(contents), 0o644))
	d.must(os.Rename(aside, d.path(name)))
}

func (d *world) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

func (d *world) rename(from, to string) {
	d.Helper()
	d.must(os.Rename(d.path(from), d.path(to)))
}

func (d *world) remove(name string) { d.Helper(); d.must(os.RemoveAll(d.path(name))) }

func (d *world) mkdir(name string) { d.Helper(); d.must(os.MkdirAll(d.path(name), 0o755)) }

func (d *world) link(target, name string) { d.Helper(); d.must(os.Symlink(target, d.path(name))) }

// start makes the watcher and applies the plan. The end of the test closes it and checks that
// nothing is left.
func (d *world) start(opts Options) change.Snapshot {
	d.Helper()
	labelled(d.T, func() {
		w, err := New(opts)
		d.must(err)
		d.w = w
	})
	w := d.w
	d.age()
	d.Cleanup(func() {
		if err := w.Close(); err != nil {
			d.Errorf("close: %v", err)
		}
		noGoroutines(d.T)
	})
	return d.apply()
}

// age waits until the files written so far are older than a tick of the clock that the file system
// uses, so that they are not taken for changes.
func (d *world) age() {
	d.Helper()
	probe := filepath.Join(d.TempDir(), "probe")
	now := func() time.Time {
		d.must(os.WriteFile(probe, nil, 0o644))
		info, err := os.Stat(probe)
		d.must(err)
		return info.ModTime()
	}
	for end := now().Add(2 * kernelTick); now().Before(end); {
	}
}

func (d *world) apply() change.Snapshot {
	d.Helper()
	snap, err := d.w.Apply(context.Background(), d.plan)
	d.must(err)
	d.seen.add(change.Set{Snapshot: snap})
	return snap
}

func (d *world) sync() change.Snapshot {
	d.Helper()
	snap, err := d.w.Sync(context.Background())
	d.must(err)
	d.seen.add(change.Set{Snapshot: snap})
	return snap
}

// caughtUp is sync that waits for the events, too.
func (d *world) caughtUp() change.Snapshot {
	d.Helper()
	snap, err := d.w.CatchUp(context.Background())
	d.must(err)
	d.seen.add(change.Set{Snapshot: snap})
	return snap
}

func (d *world) reset() {
	d.seen = seen{ops: map[string]change.Op{}, ignored: map[string]string{}}
}

func (s *seen) add(set change.Set) {
	if set.Version > s.Version {
		s.Snapshot = set.Snapshot
	}
	for _, p := range set.Paths {
		s.ops[p.Name] = p.Op
	}
	for _, p := range set.Ignored {
		s.ignored[p.Name] = p.Class.Reason
	}
	s.notes = append(s.notes, set.Notes...)
	s.sets++
}

// until reads sets until ok says that what was awaited has come.
func (d *world) until(what string, ok func() bool) {
	d.Helper()
	deadline := time.After(patience)
	again := time.NewTicker(10 * time.Millisecond) // for what no set tells
	defer again.Stop()
	for !ok() {
		select {
		case set := <-d.w.Changes():
			d.seen.add(set)
		case <-again.C:
		case <-deadline:
			dirs, files, mode := d.w.Stats()
			d.Fatalf("waited in vain for %s\nseen: %+v\nstats: %d dirs, %d files, %s\nfiles that differ from the disk:\n%s", what, d.seen, dirs, files, mode, d.differences())
		}
	}
}

// untilTold waits until the sets have told of a path.
func (d *world) untilTold(name string) {
	d.Helper()
	d.until(name, func() bool { return d.seen.ops[d.path(name)] != "" })
}

// quiet waits until all events so far have been looked at: a file that a hook watches is written
// and awaited.
func (d *world) quiet() {
	d.Helper()
	name := "db/cookie" + time.Now().Format("150405.000000000") + ".sql"
	d.write(name, "x")
	d.untilTold(name)
	d.remove(name)
	d.until("the end of "+name, func() bool { return d.seen.ops[d.path(name)] == change.Remove })
}

// settled waits until what the watcher knows is what one that starts now finds.
func (d *world) settled() {
	d.Helper()
	var want change.Snapshot
	d.until("the state of the disk", func() bool {
		want = d.scratch()
		return sameTree(d.seen.Snapshot, want)
	})
}

func sameTree(a, b change.Snapshot) bool {
	a.Seq, a.Runtime, a.Styles, a.Scripts = b.Seq, b.Runtime, b.Styles, b.Scripts // these are of the past
	return a.SameState(b)
}

func (d *world) scratch() change.Snapshot {
	d.Helper()
	plan := d.plan
	plan.Walk = nil
	w, err := New(Options{Poll: time.Hour})
	d.must(err)
	defer w.Close()
	snap, err := w.Apply(context.Background(), plan)
	d.must(err)
	return snap
}

// differences describes what the watcher has wrong.
func (d *world) differences() string {
	plan := d.plan
	plan.Walk = nil
	w, err := New(Options{Poll: time.Hour})
	d.must(err)
	defer w.Close()
	_, err = w.Apply(context.Background(), plan)
	d.must(err)
	is, should := describe(d.w), describe(w)
	var out strings.Builder
	for name, text := range is {
		if should[name] != text && !strings.Contains(text, "runtime") {
			out.WriteString("is     " + name + " " + text + "\n")
		}
	}
	for name, text := range d.pages() {
		if sum := change.DigestOf([]byte(text)).String(); !strings.HasPrefix(is[name], sum) {
			out.WriteString("should " + name + " " + sum + " is " + is[name] + "\n")
		}
	}
	for name, text := range is {
		if _, ok := d.pages()[name]; !ok && strings.HasSuffix(text, "runtime") && strings.HasSuffix(name, ".html") {
			out.WriteString("is     " + name + " " + text + "\n")
		}
	}
	for name, text := range should {
		if is[name] != text {
			out.WriteString("should " + name + " " + text + "\n")
		}
	}
	return out.String()
}

func describe(w *Watcher) map[string]string {
	out := map[string]string{}
	w.ask(context.Background(), func(l *loop) error {
		for name, f := range l.files {
			kind := ""
			if onlySought(f.class) {
				kind = "runtime"
			}
			if f.present {
				out[name] = fmt.Sprintf("%s %s role %d source %v hooks %v %s", f.sum, f.head, f.class.Role, f.class.Source, f.class.Hooks, kind)
			}
		}
		out["git"] = fmt.Sprint(l.git)
		out["hooks"] = fmt.Sprint(l.hooks)
		return nil
	})
	return out
}

// labelled runs f so that all goroutines it starts, and those that they start, carry the test's
// name.
func labelled(t *testing.T, f func()) {
	pprof.Do(context.Background(), pprof.Labels("test", t.Name()), func(context.Context) { f() })
}

// noGoroutines checks that none with the test's name is left.
func noGoroutines(t *testing.T) {
	t.Helper()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	deadline := time.After(patience)
	for {
		var b strings.Builder
		if err := pprof.Lookup("goroutine").WriteTo(&b, 1); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), fmt.Sprintf("%q:%q", "test", t.Name())) {
			return
		}
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("goroutines are left:\n%s", b.String())
		}
	}
}

func (s *seen) noteWith(text string) bool {
	for _, n := range s.notes {
		if strings.Contains(n.Msg, text) {
			return true
		}
	}
	return false
}

func (s *seen) paths() []string {
	var out []string
	for p := range maps.Keys(s.ops) {
		out = append(out, p)
	}
	return out
}
