package watch

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/classify"
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
		"identical rewrite":   func(d *world) { d.replace("a/a.go", "package a\n") },
		"test file":           func(d *world) { d.replace("a/old_test.go", "package a\n\nvar x = 1\n") },
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
		{"static/a.css", "a{}", "styles"},
		{"static/new/deep/b.css", "a{}", "styles"},
		{"static/a.js", "1", "scripts"},
		{"static/a.html", "<b>", "runtime"},
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
		{"styles", a.Styles != b.Styles}, {"scripts", a.Scripts != b.Scripts},
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

// TestSameTick holds that a second write within one tick of the file system's clock, of the same
// length, is seen.
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
	g.Files[d.path("b/b.go")] = classify.GoFile
	g.Dirs[d.path("b")] = classify.Dir{Package: "b"}
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

// TestUnreadableButSearchable has an env file in a directory that gives no events, though the files
// in it can be opened.
func TestUnreadableButSearchable(t *testing.T) {
	d := newWorld(t)
	d.plan.Rules.EnvFiles = []string{"env/.env"}
	d.write("env/.env", "A=1\n")
	d.start(Options{open: func() (*source, error) {
		s, err := openSource()
		add := s.add
		s.add = func(dir string) error {
			if dir == d.path("env") {
				return syscall.EACCES
			}
			return add(dir)
		}
		return s, err
	}})
	d.until("the note", func() bool { return d.seen.noteWith("no events come from it") })
	d.write("env/.env", "A=2\n")
	d.untilTold("env/.env")
}
