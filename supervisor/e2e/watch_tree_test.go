package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// part is the source of a package that says v.
func part(v string) string { return fmt.Sprintf("package part\n\nfunc V() string { return %q }\n", v) }

// program is the source of a program that serves what the package at an import
// path says; "" for none.
func program(path string) string {
	imports, v := "", `"nothing"`
	if path != "" {
		imports, v = fmt.Sprintf("\tpart %q\n", path), "part.V()"
	}
	return `package main

import (
	"fmt"
	"os"
	"time"

` + imports + `)

func main() {
	fmt.Printf("serving %s pid=%d\n", ` + v + `, os.Getpid())
	time.Sleep(time.Hour)
}
`
}

// tree is a directory that holds the module app and what lies beside it.
type tree struct {
	t    *testing.T
	base string
}

func newTree(t *testing.T, files map[string]string) tree {
	t.Helper()
	if files["app/go.mod"] == "" {
		files["app/go.mod"] = "module example.com/app\n\ngo 1.25\n"
	}
	tr := tree{t, t.TempDir()}
	for name, text := range files {
		tr.write(name, text)
	}
	return tr
}

func (tr tree) at(name string) string { return filepath.Join(tr.base, filepath.FromSlash(name)) }

func (tr tree) write(name, text string) { tr.t.Helper(); write(tr.t, tr.at(name), text) }

func (tr tree) must(err error) {
	tr.t.Helper()
	if err != nil {
		tr.t.Fatal(err)
	}
}

func (tr tree) rename(from, to string) { tr.t.Helper(); tr.must(os.Rename(tr.at(from), tr.at(to))) }

func (tr tree) link(target, name string) { tr.t.Helper(); tr.must(os.Symlink(target, tr.at(name))) }

func (tr tree) remove(name string) { tr.t.Helper(); tr.must(os.RemoveAll(tr.at(name))) }

func (tr tree) git(args ...string) string {
	tr.t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "gc.auto=0"}, args...)...)
	cmd.Dir = tr.at("app")
	out, err := cmd.CombinedOutput()
	if err != nil {
		tr.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (tr tree) run(args ...string) *devguard {
	tr.t.Helper()
	return run(tr.t, tr.at("app"), nil, append([]string{"--db", "off"}, args...)...)
}

func TestNewDirectoriesWithFilesInside(t *testing.T) {
	t.Parallel()
	tr := newTree(t, map[string]string{"app/main.go": program("")})
	d := tr.run()
	d.serving("nothing")

	// As a generator does it: all at once.
	tr.write("app/a/b/c/part.go", part("made at once"))
	tr.write("app/main.go", program("example.com/app/a/b/c"))
	d.serving("made at once")
	tr.write("app/a/b/c/part.go", part("made at once, edited"))
	d.serving("made at once, edited")

	// The import first; what it names is moved in from elsewhere, old times
	// and all.
	tr.write("elsewhere/y/z/part.go", part("moved in"))
	mark := d.mark()
	tr.write("app/main.go", program("example.com/app/x/y/z"))
	d.wait(mark, "build failed", nil)
	tr.rename("elsewhere", "app/x")
	d.serving("moved in")
	tr.write("app/x/y/z/part.go", part("moved in, edited"))
	d.serving("moved in, edited")

	// A renamed directory, and the import after it.
	tr.rename("app/x", "app/renamed")
	tr.write("app/main.go", program("example.com/app/renamed/y/z"))
	tr.write("app/renamed/y/z/part.go", part("renamed"))
	d.serving("renamed")

	// The old name is another directory's now.
	tr.rename("app/renamed/y", "app/old")
	tr.write("app/renamed/y/z/part.go", part("of another directory"))
	d.serving("of another directory")
	tr.write("app/renamed/y/z/part.go", part("of another directory, edited"))
	d.serving("of another directory, edited")
}

func TestSymbolicLinks(t *testing.T) {
	t.Parallel()
	tr := newTree(t, map[string]string{
		"app/main.go":    program("example.com/app/linked"),
		"one/part.go":    part("dir one"),
		"two/part.go":    part("dir two"),
		"files/v.go":     part("file one"),
		"files/w.go":     part("file two"),
		"app/own/doc.go": "package part\n",
	})
	tr.link("../one", "app/linked")
	tr.link("../../files/v.go", "app/own/v.go")
	d := tr.run()
	d.serving("dir one")

	tr.write("one/part.go", part("dir one, edited"))
	d.serving("dir one, edited")
	tr.remove("app/linked")
	tr.link("../two", "app/linked")
	d.serving("dir two")
	tr.write("two/part.go", part("dir two, edited"))
	d.serving("dir two, edited")

	tr.write("app/main.go", program("example.com/app/own"))
	d.serving("file one")
	tr.write("files/v.go", part("file one, edited"))
	d.serving("file one, edited")
	tr.must(vim(tr.at("files/v.go"), []byte(part("file one, by vim"))))
	d.serving("file one, by vim")
	tr.remove("app/own/v.go")
	tr.link("../../files/w.go", "app/own/v.go")
	d.serving("file two")
	mark := d.mark()
	tr.rename("files", "gone")
	d.wait(mark, "build failed", nil)
	tr.rename("gone", "files")
	tr.write("files/w.go", part("file two, edited"))
	d.serving("file two, edited")
}

func TestDirectoryThatGoesAndComesBack(t *testing.T) {
	t.Parallel()
	tr := newTree(t, map[string]string{"app/main.go": program("example.com/app/a/b"), "app/a/b/part.go": part("there")})
	d := tr.run()
	d.serving("there")
	before, mark := d.lastServed(), d.mark()
	tr.remove("app/a")
	d.wait(mark, "build failed", nil)
	mark = d.mark()
	tr.write("app/a/b/part.go", part("there"))
	tr.write("app/a/b/more.go", "package part\n")
	d.wait(mark, "build finished", nil)
	tr.write("app/a/b/part.go", part("there again"))
	d.serving("there again")
	if started := d.count(0, "instance started"); started > 3 {
		t.Errorf("%d starts; at first served %s\n%s", started, before, d.log())
	}
}

func TestModulesOutsideTheRoot(t *testing.T) {
	t.Parallel()
	tr := newTree(t, map[string]string{
		"app/go.mod":     "module example.com/app\n\ngo 1.25\n\nrequire example.com/lib v0.0.0\n\nreplace example.com/lib => ../lib\n",
		"app/main.go":    program("example.com/lib/part"),
		"lib/go.mod":     "module example.com/lib\n\ngo 1.25\n",
		"lib2/go.mod":    "module example.com/lib\n\ngo 1.25\n",
		"lib3/go.mod":    "module example.com/lib\n\ngo 1.25\n",
		"lib/part/p.go":  part("replaced"),
		"lib2/part/p.go": part("replaced by another"),
		"lib3/part/p.go": part("of the workspace"),
	})
	d := tr.run()
	d.serving("replaced")
	tr.write("lib/part/p.go", part("replaced, edited"))
	d.serving("replaced, edited")
	edit(t, tr.at("app/go.mod"), "../lib", "../lib2")
	d.serving("replaced by another")
	tr.write("lib2/part/p.go", part("replaced by another, edited"))
	d.serving("replaced by another, edited")

	// A go.work where there was none; its module has no replace line.
	edit(t, tr.at("app/go.mod"), "\nreplace example.com/lib => ../lib2\n", "")
	tr.write("app/go.work", "go 1.25\n\nuse (\n\t.\n\t../lib3\n)\n")
	d.serving("of the workspace")
	tr.write("lib3/part/p.go", part("of the workspace, edited"))
	d.serving("of the workspace, edited")
	edit(t, tr.at("app/go.work"), "../lib3", "../lib")
	d.serving("replaced, edited")
	tr.write("lib/part/p.go", part("of the workspace now"))
	d.serving("of the workspace now")
}

func TestBranchWithoutTheMainPackage(t *testing.T) {
	t.Parallel()
	tr := newTree(t, map[string]string{
		"app/.gitignore": ".devguard/\n",
		"app/README":     "",
	})
	tr.git("init", "-q", "-b", "empty")
	tr.git("add", "-A")
	tr.git("commit", "-q", "-m", "nothing yet")
	tr.git("checkout", "-q", "-b", "work")
	tr.write("app/cmd/app/main.go", program("example.com/app/a"))
	tr.write("app/a/part.go", part("on the branch"))
	tr.git("add", "-A")
	tr.git("commit", "-q", "-m", "the app")
	d := tr.run("./cmd/app")
	d.serving("on the branch")
	before, mark := d.lastServed(), d.mark()
	tr.git("checkout", "-q", "empty")
	d.wait(mark, "build failed", nil)
	mark = d.mark()
	tr.git("checkout", "-q", "work")
	d.wait(mark, "build finished", nil)
	if d.lastServed() != before {
		t.Errorf("restarted for nothing: %s, before it %s", d.lastServed(), before)
	}
	tr.write("app/a/part.go", part("edited after it"))
	d.serving("edited after it")
}

// TestCheckoutOfManyFiles switches between two branches that differ in 5,000
// files, 100 of them of the program.
func TestCheckoutOfManyFiles(t *testing.T) {
	t.Parallel()
	tr := newTree(t, map[string]string{"app/.gitignore": ".devguard/\n", "app/main.go": program("example.com/app/a")})
	tr.git("init", "-q", "-b", "one")
	fill := func(v string) {
		tr.write("app/a/part.go", part(v))
		for i := range 5000 {
			name, text := fmt.Sprintf("app/data/%d/%d.txt", i%50, i), v
			switch {
			case i%50 == 0:
				name, text = fmt.Sprintf("app/a/file%d.go", i), "package part // "+v+"\n"
			case i%50 == 1:
				name = fmt.Sprintf("app/pages/%d/%d.html", i%7, i)
			}
			tr.write(name, text)
		}
		tr.git("add", "-A")
		tr.git("commit", "-q", "-m", v)
	}
	fill("one")
	tr.git("checkout", "-q", "-b", "two")
	fill("two")
	d := tr.run()
	d.serving("two")
	for _, branch := range []string{"one", "two", "one"} {
		mark := d.mark()
		tr.git("checkout", "-q", branch)
		d.serving(branch)
		d.wait(mark, "instance started", nil)
		t.Logf("checkout of %s: %d builds begun, %d instances started", branch, d.count(mark, "build started"), d.count(mark, "instance started"))
	}
	tr.write("app/a/part.go", part("edited"))
	d.serving("edited")
	mark := d.mark()
	tr.write("app/pages/1/1.html", "edited")
	d.wait(mark, "changed", func(l line) bool { return strings.Contains(l.Raw, "pages/1/1.html") })
	d.wait(mark, "instance started", nil)
}
