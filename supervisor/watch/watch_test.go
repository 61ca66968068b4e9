package watch

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/devguard/devguard/supervisor/change"
)

func TestEditorsSaves(t *testing.T) {
	const old, text = "package a\n", "package a\n\nvar Saved = 1\n"
	for name, save := range map[string]func(d *world){
		"truncate and write": func(d *world) { d.write("a/a.go", text) },
		"write and fsync": func(d *world) {
			f, err := os.OpenFile(d.path("a/a.go"), os.O_WRONLY|os.O_TRUNC, 0)
			d.must(err)
			f.WriteString(text)
			d.must(errors.Join(f.Sync(), f.Close()))
		},
		"vim": func(d *world) {
			d.write("a/4913", "")
			d.remove("a/4913")
			d.rename("a/a.go", "a/a.go~")
			d.write("a/a.go", text)
			d.remove("a/a.go~")
		},
		"jetbrains": func(d *world) {
			d.write("a/a.go___jb_tmp___", text)
			d.rename("a/a.go", "a/a.go___jb_old___")
			d.rename("a/a.go___jb_tmp___", "a/a.go")
			d.remove("a/a.go___jb_old___")
		},
		"emacs": func(d *world) {
			d.link("user@host.1:2", "a/.#a.go")
			d.write("a/a.go~", old)
			d.write("a/a.go", text)
			d.remove("a/.#a.go")
		},
		"rename over": func(d *world) {
			d.write("a/.a.go.123", text)
			d.rename("a/.a.go.123", "a/a.go")
		},
		"from another directory": func(d *world) {
			d.write("other/a.go", text)
			d.rename("other/a.go", "a/a.go")
		},
		"gofmt afterwards": func(d *world) {
			d.write("a/a.go", "package  a\n\nvar Saved = 1\n")
			d.write("a/a.go", text)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newWorld(t)
			before := d.start(Options{})
			save(d)
			d.untilTold("a/a.go")
			d.settled()
			if d.seen.Source == before.Source || d.seen.Seq == before.Seq {
				t.Error("the save changed nothing")
			}
			if d.seen.Shape != before.Shape {
				t.Error("a body edit changed the shape")
			}
			for _, p := range d.seen.paths() {
				if p != d.path("a/a.go") {
					t.Errorf("%s was told as a change", p)
				}
			}
		})
	}
}

func TestNoChange(t *testing.T) {
	for name, do := range map[string]func(d *world){
		"touch":               func(d *world) { d.must(os.Chtimes(d.path("a/a.go"), time.Time{}, time.Now().Add(time.Hour))) },
		"chmod":               func(d *world) { d.must(os.Chmod(d.path("a/a.go"), 0o600)) },
		"identical rewrite":   func(d *world) { d.write("a/a.go", "package a\n") },
		"test file":           func(d *world) { d.write("a/old_test.go", "package a\n\nvar x = 1\n") },
		"unrelated directory": func(d *world) { d.write("b/b.go", "package b\n"); d.write("README.md", "x") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newWorld(t)
			d.write("a/old_test.go", "package a\n")
			before := d.start(Options{})
			do(d)
			d.until("a reason", func() bool { return len(d.seen.ignored) > 0 })
			d.quiet()
			d.settled()
			after := d.sync()
			if !sameTree(before, after) || after.Runtime != before.Runtime {
				t.Errorf("digests have changed:\n%+v\n%+v", before, after)
			}
			if op := d.seen.ops[d.path("a/a.go")]; op != "" {
				t.Errorf("told as %s", op)
			}
			if reason, ok := d.seen.ignored[d.path("a/a.go")]; ok && reason != "same bytes" {
				t.Errorf("ignored because %q", reason)
			}
		})
	}
}

func TestSeqGrowsWithEqualBytes(t *testing.T) {
	d := newWorld(t)
	before := d.start(Options{})
	d.write("a/a.go", "package a\n")
	d.until("a write", func() bool { return d.seen.Seq > before.Seq })
	if d.seen.Source != before.Source {
		d.settled()
	}
	d.quiet()
	seq := d.sync().Seq
	d.must(os.Chmod(d.path("a/a.go"), 0o600))
	d.quiet()
	if got := d.sync().Seq; got != seq {
		t.Errorf("chmod took Seq from %d to %d", seq, got)
	}
}

// TestKinds holds that each kind of file moves its own digest and no other.
func TestKinds(t *testing.T) {
	d := newWorld(t)
	d.start(Options{})
	d.until("the walk", func() bool { _, n, _ := d.w.Stats(); return n >= 8 })
	for _, tt := range []struct {
		name, contents, want string
	}{
		{"a/a.go", "package a\n\nvar A = 1\n", "source"},
		{"a/a.go", "package a\nimport _ \"fmt\"\n", "source shape"},
		{"a/new.go", "package a\n", "source shape"},
		{"a/new_windows.go", "package a\n", "shape"},
		{"a/page/x.html", "<b>", "source"},
		{"a/page/sub/deep/y.html", "<b>", "source shape"},
		{"go.mod", "module example.com/m\n\n", "source shape"},
		{"go.work", "go 1.25\n", "source shape"},
		{"vendor/modules.txt", "#", "source shape"},
		{"tmpl/index.html", "<b>", "runtime"},
		{"tmpl/new/deep/z.html", "<b>", "runtime"},
		{".env", "A=2\n", "env"},
		{"devguard.toml", "[app]\n", "config"},
		{"db/schema.sql", "-- x\n", "hook"},
		{"db/more/deep/x.sql", "-- x\n", "hook"},
		{"gen/x.go", "package gen\n", "missing"},
	} {
		before := d.sync()
		d.seen.Snapshot = before
		d.write(tt.name, tt.contents)
		d.until(tt.name+" as "+tt.want, func() bool { return moved(before, d.seen.Snapshot) == tt.want })
		d.settled()
		if got := moved(before, d.seen.Snapshot); got != tt.want {
			t.Errorf("%s moved %q, want %q", tt.name, got, tt.want)
		}
	}
}

func moved(a, b change.Snapshot) string {
	out := ""
	for _, k := range []struct {
		name string
		yes  bool
	}{
		{"source", a.Source != b.Source}, {"shape", a.Shape != b.Shape}, {"runtime", a.Runtime != b.Runtime},
		{"env", a.Env != b.Env}, {"config", a.Config != b.Config},
		{"hook", a.Hooks[0].Watch != b.Hooks[0].Watch}, {"missing", a.Hooks[0].Missing != b.Hooks[0].Missing},
	} {
		if k.yes && out != "" {
			out += " "
		}
		if k.yes {
			out += k.name
		}
	}
	return out
}

func TestDirectories(t *testing.T) {
	const text = "package a\n\nvar X = 1\n"
	for name, do := range map[string]func(d *world){
		"deleted and restored": func(d *world) {
			d.remove("a")
			d.untilTold("a/a.go")
			d.write("a/a.go", text)
			d.write("a/page/x.html", "<i>")
		},
		"deleted and restored at once": func(d *world) {
			d.remove("a")
			d.write("a/a.go", text)
			d.write("a/page/x.html", "<i>")
		},
		"swapped": func(d *world) {
			d.write("b/a.go", text)
			d.write("b/page/x.html", "<i>")
			d.rename("a", "c")
			d.rename("b", "a")
		},
		"crossing renames": func(d *world) {
			d.write("b/a.go", text)
			d.write("b/page/x.html", "<i>")
			d.rename("a", "tmp")
			d.rename("b", "a")
			d.rename("tmp", "b")
			d.rename("a", "tmp")
			d.rename("b", "a")
			d.rename("a", "b")
			d.rename("tmp", "a")
		},
		"renamed away and back": func(d *world) {
			d.rename("a", "b")
			d.rename("b", "a")
			d.write("a/a.go", text)
		},
		"replaced by a file": func(d *world) {
			d.remove("a")
			d.write("a", "x")
			d.untilTold("a/a.go")
			d.remove("a")
			d.write("a/a.go", text)
		},
		"replaced by a link": func(d *world) {
			d.rename("a", "real")
			d.link("real", "a")
			d.write("real/a.go", text)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newWorld(t)
			d.start(Options{})
			do(d)
			d.until("the new directory", func() bool { return sameTree(d.seen.Snapshot, d.scratch()) })
			before := d.seen.Seq
			d.write("a/a.go", text+"// still watched\n")
			d.until("an edit in it", func() bool { return d.seen.Seq > before && sameTree(d.seen.Snapshot, d.scratch()) })
		})
	}
}

func TestWholeModuleReplaced(t *testing.T) {
	d := newWorld(t)
	d.rename("a", "m_a") // a module of its own beneath, so that its parent can be seen
	d.mkdir("mods/one")
	d.rename("m_a", "mods/one/a")
	d.write("mods/one/go.mod", "module one\n")
	root := d.path("mods/one")
	d.plan.Rules.Graph = &change.Graph{
		Package: "one/a", Roots: []string{root},
		Files: map[string]change.Role{filepath.Join(root, "a/a.go"): change.GoFile},
		Dirs:  []change.Dir{{Path: filepath.Join(root, "a"), Package: "one/a"}},
	}
	d.plan.Rules.Base = root
	d.start(Options{})
	d.rename("mods/one", "mods/two")
	d.untilTold("mods/one/a/a.go")
	d.rename("mods", "mods2")
	d.write("mods/one/a/a.go", "package a // new\n")
	d.until("the module to return", func() bool { return sameTree(d.seen.Snapshot, d.scratch()) })
	d.write("mods/one/a/a.go", "package a // edited\n")
	d.until("an edit", func() bool { return sameTree(d.seen.Snapshot, d.scratch()) })
}

func TestLinks(t *testing.T) {
	t.Parallel()
	d := newWorld(t)
	outside, err := filepath.EvalSymlinks(t.TempDir())
	d.must(err)
	one, two := filepath.Join(outside, "one"), filepath.Join(outside, "two")
	for _, dir := range []string{one, two} {
		d.must(os.MkdirAll(dir, 0o755))
		d.must(os.WriteFile(filepath.Join(dir, "l.go"), []byte("package l // "+dir), 0o644))
		d.must(os.WriteFile(filepath.Join(dir, "f.txt"), []byte(dir), 0o644))
	}
	d.link(one, "lib")
	d.link(one, "lib2") // a second name
	d.link(filepath.Join(one, "f.txt"), "a/f.go")
	g := d.plan.Rules.Graph
	for _, name := range []string{"lib", "lib2"} {
		g.Dirs = append(g.Dirs, change.Dir{Path: d.path(name), Package: name})
		g.Files[d.path(name+"/l.go")] = change.GoFile
	}
	g.Files[d.path("a/f.go")] = change.GoFile
	d.start(Options{})
	step := func(what string, do func(), told ...string) {
		t.Helper()
		d.reset()
		do()
		for _, name := range told {
			d.untilTold(name)
		}
		d.until(what, func() bool { return sameTree(d.seen.Snapshot, d.scratch()) })
	}
	write := func(path string) func() {
		return func() { d.must(os.WriteFile(path, []byte(time.Now().String()), 0o644)) }
	}
	retarget := func(name, to string) func() {
		return func() { d.link(to, "tmp"); d.rename("tmp", name) }
	}
	step("an edit at the target", write(filepath.Join(one, "l.go")), "lib/l.go", "lib2/l.go")
	step("an edit through a link to a file", write(filepath.Join(one, "f.txt")), "a/f.go")
	step("another target of a directory", retarget("lib", two), "lib/l.go")
	step("an edit there", write(filepath.Join(two, "l.go")), "lib/l.go")
	step("an edit by the name that stayed", write(filepath.Join(one, "l.go")), "lib2/l.go")
	step("another target of a file", retarget("a/f.go", filepath.Join(two, "f.txt")), "a/f.go")
	step("an edit there", write(filepath.Join(two, "f.txt")), "a/f.go")
	step("a dangling link", func() { d.must(os.Rename(two, two+".away")) }, "lib/l.go")
	step("its return", func() { d.must(os.Rename(two+".away", two)) }, "lib/l.go")
	step("an edit after that", write(filepath.Join(two, "l.go")), "lib/l.go")
}

func TestSyncDoesNotNeedEvents(t *testing.T) {
	d := newWorld(t)
	before := d.start(Options{open: deaf})
	d.write("a/a.go", "package a\n\nvar X = 1\n")
	d.write("a/new.go", "package a\n")
	d.write("db/x.sql", "x")
	snap := d.sync()
	if snap.Source == before.Source || snap.Shape == before.Shape || snap.Hooks[0] == before.Hooks[0] || snap.Seq == before.Seq {
		t.Fatalf("Sync saw too little: %+v, before %+v", snap, before)
	}
	d.untilTold("a/new.go")
	if !sameTree(snap, d.scratch()) {
		t.Fatal("Sync's snapshot is not the state of the disk")
	}
}

// deaf is a source that never tells of anything.
func deaf() (*source, error) {
	nothing := func(string) error { return nil }
	names := map[string]bool{}
	return &source{
		add:    func(p string) error { names[p] = true; return nil },
		remove: nothing,
		list:   func() (out []string) { return keys(names) },
		close:  func() error { return nil },
	}, nil
}

func keys(m map[string]bool) (out []string) {
	for k := range m {
		out = append(out, k)
	}
	return out
}

// TestSameTick holds that a second write within one tick of the file system's
// clock, of the same length, is seen.
func TestSameTick(t *testing.T) {
	d := newWorld(t)
	d.start(Options{open: deaf})
	for i := range 200 {
		want := "package a // " + strconv.Itoa(1000+i)
		d.write("a/a.go", want)
		if got := d.sync(); !sameTree(got, d.scratch()) {
			t.Fatalf("write %d was not seen", i)
		}
	}
}

func TestApplyKeepsAndFinds(t *testing.T) {
	d := newWorld(t)
	d.write("b/b.go", "package b\n")
	first := d.start(Options{})
	d.plan = d.makePlan()
	g := d.plan.Rules.Graph
	g.Files[d.path("b/b.go")] = change.GoFile
	g.Dirs = append(g.Dirs, change.Dir{Path: d.path("b"), Package: "b"})
	second := d.apply()
	if second.Source == first.Source || second.Shape == first.Shape {
		t.Error("a larger graph has the same digests")
	}
	if second.Seq != first.Seq || second.Runtime != first.Runtime || second.Env != first.Env {
		t.Errorf("to find a file is no write: %+v then %+v", first, second)
	}
	d.write("b/b.go", "package b // edited\n")
	d.untilTold("b/b.go")
	d.plan = d.makePlan()
	third := d.apply()
	if third.Source != first.Source {
		t.Error("back to the first graph, but not to its digest")
	}
	if d.seen.ops[d.path("main.go")] != "" {
		t.Error("an unchanged file was told")
	}
}

func TestGitState(t *testing.T) {
	t.Parallel()
	d := newWorld(t)
	d.mkdir(".git")
	d.plan.GitDir = d.path(".git")
	if s := d.start(Options{}); s.GitBusy || s.GitLock {
		t.Fatal("busy from the start")
	}
	for _, name := range []string{"index.lock", "MERGE_HEAD", "BISECT_LOG", "rebase-merge/x", "rebase-apply/x"} {
		d.write(".git/"+name, "")
		d.until(name, func() bool { return d.seen.GitBusy && d.seen.GitLock == (name == "index.lock") })
		d.remove(".git/" + filepath.Dir(name + "/x")[:len(filepath.Dir(name+"/x"))])
		if filepath.Dir(name) != "." {
			d.remove(".git/" + filepath.Dir(name))
		}
		d.until("the end of "+name, func() bool { return !d.seen.GitBusy })
	}
}

func TestClose(t *testing.T) {
	d := newWorld(t)
	d.start(Options{})
	d.write("a/a.go", "package a // unread\n")
	d.must(errors.Join(d.w.Close(), d.w.Close()))
	if _, err := d.w.Sync(context.Background()); !errors.Is(err, ErrClosed) {
		t.Errorf("Sync after Close: %v", err)
	}
	if _, err := New(Options{Poll: time.Millisecond}); err == nil {
		t.Error("an interval of 1 ms is accepted")
	}
}

func TestCancelledApply(t *testing.T) {
	d := newWorld(t)
	d.start(Options{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	d.write("a/a.go", "package a // changed\n")
	if _, err := d.w.Apply(ctx, d.plan); !errors.Is(err, context.Canceled) {
		t.Fatalf("Apply with an ended context: %v", err)
	}
	if got := d.apply(); !sameTree(got, d.scratch()) {
		t.Fatal("the next Apply does not make up for it")
	}
}

func TestUnreadableAndOddFiles(t *testing.T) {
	d := newWorld(t)
	d.start(Options{})
	d.must(syscall.Mkfifo(d.path("a/fifo.go"), 0o644)) // opening it would wait for ever
	d.mkdir("a/dir.go")
	d.write("a/a.go", "package a // after that\n")
	d.untilTold("a/a.go")
	d.settled()
}

func TestIgnoredPathsDoNotWakeTheReader(t *testing.T) {
	d := newWorld(t)
	d.start(Options{})
	for i := range 200 {
		d.write("app.log", strconv.Itoa(i))
	}
	d.quiet()
	if d.seen.sets > 20 {
		t.Errorf("%d sets for a log file", d.seen.sets)
	}
	if d.seen.ignored[d.path("app.log")] == "" {
		t.Error("it was never told as ignored")
	}
}

func TestLargeEmbeddedFile(t *testing.T) {
	t.Parallel()
	d := newWorld(t)
	d.start(Options{})
	d.must(os.Truncate(d.path("a/page/x.html"), 100<<20))
	d.untilTold("a/page/x.html")
	d.settled()
}

func TestNoEventsAtAll(t *testing.T) {
	t.Parallel()
	d := newWorld(t)
	d.start(Options{open: func() (*source, error) { return nil, syscall.EMFILE }})
	if _, _, mode := d.w.Stats(); mode != "poll" {
		t.Errorf("mode is %s", mode)
	}
	d.write("a/a.go", "package a // x\n")
	d.untilTold("a/a.go")
	d.until("a note", func() bool { return d.seen.noteWith("no file events") })
	if !slices.ContainsFunc(d.seen.notes, func(n change.Note) bool { return n.Warn && n.Hint != "" }) {
		t.Errorf("notes: %+v", d.seen.notes)
	}
}

func TestWatchLimit(t *testing.T) {
	t.Parallel()
	d := newWorld(t)
	opened := func() (*source, error) {
		s, err := openSource()
		if err != nil {
			return nil, err
		}
		add, left := s.add, 2
		s.add = func(dir string) error {
			if left--; left < 0 {
				return syscall.ENOSPC
			}
			return add(dir)
		}
		return s, nil
	}
	d.start(Options{open: opened})
	for _, name := range []string{"main.go", "a/a.go", "db/schema.sql", "tmpl/index.html"} {
		d.until("all files", func() bool { _, n, _ := d.w.Stats(); return n >= 8 })
		d.write(name, "package x // changed")
		d.untilTold(name)
	}
	d.settled()
	if !d.seen.noteWith("limit of watches") {
		t.Errorf("notes: %+v", d.seen.notes)
	}
}

func TestPolling(t *testing.T) {
	t.Parallel()
	d := newWorld(t)
	d.start(Options{Poll: 20 * time.Millisecond})
	d.until("the walk", func() bool { _, n, _ := d.w.Stats(); return n >= 8 })
	for _, name := range []string{"main.go", "a/new.go", "a/page/deep/y.html", "tmpl/index.html", "tmpl/new/x.html", "db/more/x.sql", ".env"} {
		d.write(name, "package x // changed")
		d.untilTold(name)
	}
	d.remove("a")
	d.untilTold("a/a.go")
	d.write("a/a.go", "package a // back")
	d.until("its return", func() bool { return sameTree(d.seen.Snapshot, d.scratch()) })
}

func TestRemoteFileSystem(t *testing.T) {
	remote := func(string) (bool, string) { return false, "nfs" }
	t.Run("events arrive", func(t *testing.T) {
		t.Parallel()
		d := newWorld(t)
		d.start(Options{Local: remote})
		d.write("a/a.go", "package a // x\n")
		d.untilTold("a/a.go")
		if _, _, mode := d.w.Stats(); mode != "events" {
			t.Errorf("mode is %s", mode)
		}
	})
	t.Run("events do not", func(t *testing.T) {
		t.Parallel()
		d := newWorld(t)
		d.start(Options{Local: remote, open: deaf})
		d.write("a/a.go", "package a // x\n")
		d.untilTold("a/a.go")
		d.until("the switch", func() bool { return d.seen.noteWith("no event told of") })
		if _, _, mode := d.w.Stats(); mode != "poll" {
			t.Errorf("mode is %s", mode)
		}
		d.until("the walk", func() bool { _, n, _ := d.w.Stats(); return n >= 8 })
		d.write("tmpl/index.html", "now polled too")
		d.untilTold("tmpl/index.html")
	})
	t.Run("off", func(t *testing.T) {
		t.Parallel()
		d := newWorld(t)
		d.start(Options{Local: remote, open: deaf, Poll: PollOff})
		var polls bool
		d.w.ask(context.Background(), func(l *loop) error { polls = l.tick != nil; return nil })
		if polls {
			t.Error("it polls")
		}
	})
}

// TestInjectedOverflow loses events on purpose.
func TestInjectedOverflow(t *testing.T) {
	t.Parallel()
	d := newWorld(t)
	errs := make(chan error)
	opened := func() (*source, error) {
		s, err := deaf()
		s.errors = errs
		return s, err
	}
	d.start(Options{open: opened})
	d.until("the walk", func() bool { _, n, _ := d.w.Stats(); return n >= 8 })
	d.write("a/a.go", "package a // lost\n")
	d.write("a/page/deep/new.html", "lost")
	d.write("tmpl/new/deep/x.html", "lost")
	d.write("tmpl/index.html", "lost")
	d.remove("db")
	errs <- fsnotify.ErrEventOverflow
	for _, name := range []string{"a/a.go", "a/page/deep/new.html", "tmpl/new/deep/x.html", "tmpl/index.html", "db/schema.sql"} {
		d.untilTold(name)
	}
	if !d.seen.noteWith("more file events") {
		t.Errorf("notes: %+v", d.seen.notes)
	}
	d.settled()
}

// TestRealOverflow stops reading until the kernel's queue runs over.
func TestRealOverflow(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	if err != nil {
		t.Skip("no inotify here")
	}
	queue, _ := strconv.Atoi(string(b[:len(b)-1]))
	d := newWorld(t)
	pause := make(chan chan struct{})
	d.start(Options{open: func() (*source, error) { return pausable(pause) }})
	resume := make(chan struct{})
	pause <- resume
	for i := range queue/2 + 2*eventBuffer { // each makes two or more events
		d.write("a/f"+strconv.Itoa(i)+".txt", strconv.Itoa(i))
	}
	d.write("a/a.go", "package a // in the flood\n")
	d.write("new/deep/x.html", "<p>")
	close(resume)
	d.untilTold("a/a.go")
	d.untilTold("new/deep/x.html")
	d.until("the note", func() bool { return d.seen.noteWith("more file events") })
	d.settled()
}

// pausable is the real source, behind a goroutine that can be told to stop
// reading.
func pausable(pause chan chan struct{}) (*source, error) {
	fs, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	events := make(chan fsnotify.Event)
	done := make(chan struct{})
	closing := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case resume := <-pause:
				<-resume
			case ev, ok := <-fs.Events:
				if !ok {
					return
				}
				select {
				case events <- ev:
				case <-closing:
					return
				}
			}
		}
	}()
	closed := false
	return &source{events, fs.Errors, fs.Add, fs.Remove, fs.WatchList, func() error {
		if closed {
			return nil
		}
		closed = true
		close(closing)
		err := fs.Close()
		<-done
		return err
	}}, nil
}

func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "commit.gpgsign=false", "-c", "gc.auto=0", "-c", "core.fsync=none", "-c", "core.looseCompression=0"}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

func needGit(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("no git")
	}
}
