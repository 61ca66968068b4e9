package watch

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/classify"
	"github.com/devguard/devguard/supervisor/testneed"
)

// TestCheckout switches between branches of 5,000 files.
func TestCheckout(t *testing.T) {
	t.Parallel()
	needGit(t)
	d := newWorld(t)
	git(t, d.root, "init", "-q", "-b", "one")
	const files, dirs = 5000, 50
	name := func(i int) string { return fmt.Sprintf("p%d/f%d.go", i%dirs, i) }
	var history strings.Builder
	for n, branch := range []string{"one", "two"} {
		fmt.Fprintf(&history, "commit refs/heads/%s\ncommitter x <x@example.com> %d +0000\ndata 0\n", branch, n)
		for i := range files {
			if n == 1 && i%dirs == 1 {
				continue // a directory that goes and comes back
			}
			text := fmt.Sprintf("package p // %s %d\n", branch, i)
			fmt.Fprintf(&history, "M 100644 inline %s\ndata %d\n%s\n", name(i), len(text), text)
		}
	}
	gitIn(t, d.root, history.String(), "fast-import", "--quiet")
	git(t, d.root, "checkout", "-q", "-f", "one")

	g := d.plan.Rules.Graph
	for i := range dirs {
		dir := d.path(fmt.Sprintf("p%d", i))
		g.Dirs[dir] = classify.Dir{Package: filepath.Base(dir)}
	}
	for i := range files {
		g.Files[d.path(name(i))] = classify.GoFile
	}
	d.plan.GitDir = d.path(".git")
	d.start(Options{})
	for _, branch := range []string{"two", "one"} {
		d.reset()
		git(t, d.root, "checkout", "-q", branch)
		want := d.scratch()
		d.until("branch "+branch, func() bool { return sameTree(d.seen.Snapshot, want) })
		if n := len(d.seen.ops); n < files {
			t.Errorf("%d files were told", n)
		}
	}
}

func TestGitIgnoresTemplates(t *testing.T) {
	t.Parallel()
	needGit(t)
	d := newWorld(t)
	git(t, d.root, "init", "-q")
	d.write(".gitignore", "out/\n*.tmp.html\n!keep.tmp.html\n")
	d.write("out/a.html", "x")
	d.write("tmpl/a.tmp.html", "x")
	d.write("tmpl/keep.tmp.html", "x")
	d.write("nested/.gitignore", "*\n")
	d.write("nested/a.html", "x")
	d.write("node_modules/a/a.html", "x")
	d.start(Options{})
	d.until("the walk", d.walked)
	if got, want := d.runtimeFiles(), "tmpl/index.html tmpl/keep.tmp.html"; got != want {
		t.Fatalf("runtime files are %s, want %s", got, want)
	}
	zero := d.sync().Runtime
	if !zero.IsZero() {
		t.Error("to find files moved the digest")
	}
	d.write("out/b.html", "x")
	d.write("tmpl/b.tmp.html", "x")
	d.write("tmpl/new/b.tmp.html", "x")
	d.write("tmpl/new/b.html", "x")
	d.untilTold("tmpl/new/b.html")
	if got, want := d.runtimeFiles(), "tmpl/index.html tmpl/keep.tmp.html tmpl/new/b.html"; got != want {
		t.Fatalf("runtime files are %s, want %s", got, want)
	}
	moved := d.sync().Runtime
	d.until("what the sweep asks git", d.walked) // the answers would be those of the next rules
	d.age()
	d.write(".gitignore", "tmpl/\n")
	d.until("the new rules", func() bool { return d.walked() && d.runtimeFiles() == "out/a.html out/b.html" })
	if d.sync().Runtime != moved {
		t.Error("a change of .gitignore moved the digest")
	}
	d.write("out/a.html", "edited")
	d.untilTold("out/a.html")
}

func (d *world) runtimeFiles() string {
	var names []string
	d.w.ask(d.Context(), func(l *loop) error {
		for name, f := range l.files {
			if onlySought(f.class) && f.present {
				rel, _ := filepath.Rel(d.root, name)
				names = append(names, filepath.ToSlash(rel))
			}
		}
		return nil
	})
	slices.Sort(names)
	return strings.Join(names, " ")
}

func TestGitIgnored(t *testing.T) {
	needGit(t)
	d := newWorld(t)
	git(t, d.root, "init", "-q")
	d.write(".gitignore", "out/\nforced\n[x]\n")
	d.write("out/a", "")
	d.write("forced", "")
	d.write("x", "")
	git(t, d.root, "add", "-f", "forced")
	d.mkdir("outside")
	d.link(d.path("out"), "link")
	ignored := GitIgnored(context.Background(), func(n change.Note) { t.Error(n) })
	for name, want := range map[string]bool{
		"out/a": true, "out": true, "out/not/there": false, "forced": false, "x": true,
		"main.go": false, "link/a": true, "not/there": false, ".git/HEAD": false,
	} {
		if got := ignored(d.path(name)); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	paths := []string{d.path(".git/y"), d.path("main.go"), d.path("out/a"), "/nowhere/a"}
	if got := newIgnorer().ignored(context.Background(), paths).ignored; !got[d.path("out/a")] || len(got) != 1 {
		t.Errorf("among paths that git refuses: %v", got)
	}
	none := &ignorer{}
	if got := none.ignored(context.Background(), paths).ignored; len(got) != 0 {
		t.Errorf("without git: %v", got)
	}
}

func TestCommandMode(t *testing.T) {
	t.Parallel()
	needGit(t)
	d := newWorld(t)
	git(t, d.root, "init", "-q")
	d.write(".gitignore", "dist/\n")
	d.write("dist/bundle.js", "x")
	d.write("src/index.ts", "x")
	d.write("node_modules/x/index.js", "x")
	d.plan.Rules.Graph, d.plan.Rules.Command = nil, true
	d.plan.Rules.Hooks, d.plan.Rules.Include = nil, nil
	d.start(Options{})
	d.until("the walk", d.walked)
	if got, want := d.runtimeFiles(), ".gitignore a/a.go a/page/x.html db/schema.sql go.mod main.go src/index.ts tmpl/index.html"; got != want {
		t.Fatalf("files are %s\nwant %s", got, want)
	}
	d.write("dist/bundle.js", "y")
	d.write("src/new/deep.ts", "y")
	d.write("src/index.ts~", "y")
	d.untilTold("src/new/deep.ts")
	d.remove("src/index.ts")
	d.untilTold("src/index.ts")
	d.rename("src", "source")
	d.untilTold("source/new/deep.ts")
	if got := d.seen.paths(); len(got) != 3 {
		t.Errorf("told: %v", got)
	}
}

func TestWalkIsBounded(t *testing.T) {
	t.Parallel()
	d := newWorld(t)
	for i := range 60 {
		d.mkdir(fmt.Sprintf("big/%d/x", i))
	}
	for i := range 10 {
		d.mkdir(fmt.Sprintf("small/%d", i))
	}
	w := &walk{roots: []string{d.root}, rules: d.plan.Rules, git: &ignorer{}, since: time.Now(), limit: 50, dirs: map[string]int{}}
	d.start(Options{})
	w.run(context.Background(), d.w)
	if !w.full || w.count != 50 {
		t.Fatalf("full %v after %d directories", w.full, w.count)
	}
	d.w.ask(d.Context(), func(l *loop) error { l.full(w); l.publish(findings{}); return nil })
	d.until("a note", func() bool { return d.seen.noteWith("50 directories") })
	if msg := d.seen.notes[0].Msg; !strings.Contains(msg, d.path("small")) && !strings.Contains(msg, d.path("big")) {
		t.Errorf("the note does not name the largest: %s", msg)
	}
}

// TestBesideLargeTree holds that a tree beside the graph is neither watched nor a reason to wake.
func TestBesideLargeTree(t *testing.T) {
	t.Parallel()
	d := newWorld(t)
	for i := range 500 {
		d.mkdir(fmt.Sprintf("tree/%d/%d/x", i%20, i))
	}
	d.plan.Walk = nil
	d.start(Options{})
	if dirs, _, _ := d.w.Stats(); dirs > 12 {
		t.Errorf("%d directories are watched", dirs)
	}
	d.w.ask(d.Context(), func(l *loop) error {
		if l.tick != nil || l.postponedTick != nil {
			t.Error("a ticker runs")
		}
		return nil
	})
	if _, err := os.Stat(d.path("tree")); err != nil {
		t.Fatal(err)
	}
}

func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	gitIn(t, dir, "", args...)
}

func gitIn(t *testing.T, dir, stdin string, args ...string) {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-C", dir}, args...)...)
	cmd.Env = append(gitEnv(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_ALLOW_PROTOCOL=file")
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

func needGit(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		testneed.Skip(t, "git", err)
	}
}
