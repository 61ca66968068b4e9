package watch

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/classify"
)

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
	d.plan.Rules.Graph = &classify.Graph{
		Package: "one/a", Roots: []string{root},
		Files: map[string]classify.Role{filepath.Join(root, "a/a.go"): classify.GoFile},
		Dirs:  map[string]classify.Dir{filepath.Join(root, "a"): {Package: "one/a"}},
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
		g.Dirs[d.path(name)] = classify.Dir{Package: name}
		g.Files[d.path(name+"/l.go")] = classify.GoFile
	}
	g.Files[d.path("a/f.go")] = classify.GoFile
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
