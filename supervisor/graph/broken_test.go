package graph

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/logline/logtest"
)

// TestBroken: a tree that does not load gives an error that says what is wrong, and a graph in
// which the repair is seen.
func TestBroken(t *testing.T) {
	importing := func(path string) string { return "package main\n\nimport _ \"" + path + "\"\n\nfunc main() {}\n" }
	tests := []struct {
		name  string
		files []string
		err   string   // "" for none
		watch []string // in the graph
		dirs  []string // in the graph
	}{
		{"syntax in a body", []string{"go.mod", goMod, "main.go", "package main\n\nfunc main() {{\n"}, "", []string{"main.go"}, []string{"."}},
		{"syntax in the imports", []string{"go.mod", goMod, "main.go", "package main\n\nimport \"fmt\n"}, "main.go:3:8", []string{"main.go"}, []string{"."}},
		{"no package clause", []string{"go.mod", goMod, "main.go", ""}, "main.go:1:1", []string{"main.go"}, []string{"."}},
		{"missing import", []string{"go.mod", goMod, "main.go", importing("example.com/app/soon")}, "main.go:3:8: no required module", []string{"main.go"}, []string{".", "soon"}},
		{"missing module", []string{"go.mod", goMod, "main.go", importing("example.com/other")}, "go get example.com/other", []string{"main.go", "go.mod"}, []string{"."}},
		{"missing go.sum", []string{"go.mod", goMod + "require example.com/other v1.0.0\n", "main.go", importing("example.com/other")}, "missing go.sum entry",
			[]string{"main.go", "go.mod", "go.sum"}, []string{"."}},
		{"import cycle", []string{"go.mod", goMod, "main.go", importing("example.com/app/a"), "a/a.go", "package a\n\nimport _ \"example.com/app/b\"\n",
			"b/b.go", "package b\n\nimport _ \"example.com/app/a\"\n"}, "import cycle", []string{"a/a.go", "b/b.go"}, []string{".", "a", "b"}},
		{"import without Go files", []string{"go.mod", goMod, "main.go", importing("example.com/app/a"), "a/a.txt", ""}, "example.com/app/a", nil, []string{".", "a"}},
		{"two packages in one directory", []string{"go.mod", goMod, "main.go", hello, "lib.go", "package lib\n"}, "found packages", []string{"main.go", "lib.go"}, []string{"."}},
		{"no Go files", []string{"go.mod", goMod, "a.txt", ""}, "no Go files", []string{"go.mod"}, []string{"."}},
		{"all files excluded", []string{"go.mod", goMod, "main.go", "//go:build x\n\n" + hello}, "build constraints exclude", []string{"main.go"}, []string{"."}},
		{"missing embed", []string{"go.mod", goMod, "main.go", "package main\n\nimport _ \"embed\"\n\n//go:embed page.html\nvar p string\n\nfunc main() {}\n"},
			"main.go:5:12: pattern page.html: no matching files", []string{"main.go"}, []string{"."}},
		{"go.mod does not parse", []string{"go.mod", "modul x\n", "main.go", hello, "x_windows.go", "package main\n"}, "go.mod:1: unknown directive",
			[]string{"go.mod", "main.go", "x_windows.go"}, []string{"."}},
		{"go.mod asks for a newer go", []string{"go.mod", "module example.com/app\n\ngo 1.999\n", "main.go", hello}, "requires go >= 1.999",
			[]string{"go.mod", "main.go"}, []string{"."}},
		{"go.mod asks for a go that cannot be had", []string{"go.mod", "module example.com/app\n\ngo 1.999\n", "main.go", hello}, "go1.999",
			[]string{"go.mod", "main.go"}, []string{"."}},
		{"go.work does not parse", []string{"go.work", "us ./x\n", "go.mod", goMod, "main.go", hello}, "go.work:1", []string{"go.work", "go.mod", "main.go"}, []string{"."}},
		{"go.work uses what is not there", []string{"go.work", "go 1.25\n\nuse (\n.\n./soon\n)\n", "go.mod", goMod, "main.go", hello}, "soon", []string{"go.work", "main.go", "soon/go.mod"}, []string{"."}},
		{"replacement is not there", []string{"go.mod", goMod + "\nrequire example.com/lib v1.0.0\n\nreplace example.com/lib => ./lib\n", "main.go", importing("example.com/lib")},
			"replacement directory ./lib does not exist", []string{"go.mod", "main.go", "lib/go.mod"}, []string{".", "lib"}},
		{"vendor is inconsistent", []string{"go.mod", goMod + "\nrequire example.com/lib v1.0.0\n", "main.go", importing("example.com/lib"), "vendor/modules.txt", ""},
			"inconsistent vendoring", []string{"go.mod", "vendor/modules.txt", "main.go"}, []string{"."}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tr := newTree(t, tt.files...)
			tr.env = append(tr.env, "GOTOOLCHAIN=local")
			if strings.Contains(tt.name, "cannot be had") {
				tr.env = append(tr.env, "GOTOOLCHAIN=auto")
			}
			g, err := tr.load(".", ".")
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			if Fatal(err) {
				t.Errorf("%v: no edit would repair it", err)
			}
			if g == nil {
				t.Fatal("no graph")
			}
			for _, name := range tt.watch {
				if g.Files[filepath.Join(tr.dir, name)] == 0 {
					t.Errorf("%s is not in the graph: %q", name, tr.files(g))
				}
			}
			var dirs []string
			for path := range g.Dirs {
				dirs = append(dirs, tr.rel(path))
			}
			slices.Sort(dirs)
			tr.check("dirs", dirs, tt.dirs...)
			if want := "example.com/app"; g.Package != want && tt.name != "go.mod does not parse" {
				t.Errorf("package %q, want %q", g.Package, want)
			}
			if !g.Match(tr.dir, "new.go") || g.Match(tr.dir, "new_windows.go") {
				t.Error("match does not work")
			}
		})
	}
}

// TestUserErrors: what only the user can change, and what to do.
func TestUserErrors(t *testing.T) {
	module := []string{"go.mod", goMod, "main.go", hello, "lib/lib.go", "package lib\n", "cmd/a/a.go", hello, "cmd/b/b.go", hello}
	tests := []struct {
		name     string
		files    []string
		sub, pkg string
		env      string
		want     []string
		watch    string // a file or directory that must be in the graph
	}{
		{name: "no go.mod", files: []string{"main.go", hello}, want: []string{"there is no go.mod", "go mod init"}, watch: "go.mod"},
		{name: "package not found", files: module, pkg: "./cmd/c", want: []string{"package ./cmd/c not found", "./cmd/app"}, watch: "cmd/c"},
		{name: "import path not found", files: module, pkg: "example.com/app/cmd/c", want: []string{"not found"}, watch: "cmd/c"},
		{name: "directory without a dot", files: module, pkg: "cmd/a", want: []string{"no package with the import path cmd/a", "write ./cmd/a"}},
		{name: "not main", files: module, pkg: "./lib", want: []string{"./lib is package lib, not main", "name the directory of your main package"}, watch: "lib"},
		{name: "standard library", files: module, pkg: "fmt", want: []string{"fmt is package fmt, not main"}},
		{name: "several", files: module, pkg: "./cmd/...", want: []string{"./cmd/... matches 2 packages"}},
		{name: "none", files: module, pkg: "./none/...", want: []string{"./none/... not found"}},
		{name: "another system", files: module, env: "GOOS=plan9", want: []string{"builds for plan9/", "go env -u GOOS"}, watch: "."},
		{name: "another architecture", files: module, env: "GOARCH=s390x", want: []string{"/s390x, which does not run on this"}, watch: "."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tr := newTree(t, tt.files...)
			if tt.env != "" {
				tr.env = append(tr.env, tt.env)
			}
			g, err := tr.load(tt.sub, tt.pkg)
			if !Fatal(err) {
				t.Fatalf("error %v, want a UserError", err)
			}
			for _, want := range tt.want {
				if !strings.Contains(logtest.Text(err), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
			if g == nil {
				t.Fatal("no graph")
			}
			name := filepath.Join(tr.dir, tt.watch)
			_, isDir := g.Dirs[name]
			if tt.watch != "" && g.Files[name] == 0 && !isDir {
				t.Errorf("%s is not in the graph: %q %q", tt.watch, tr.dirs(g), tr.files(g))
			}
		})
	}
}

func TestNoDirectory(t *testing.T) {
	tr := newTree(t, "f", "")
	for _, sub := range []string{"gone", "f"} {
		g, err := tr.load(sub, ".")
		if g != nil || !Fatal(err) {
			t.Errorf("%s: %v, %v", sub, g, err)
		}
	}
}

func TestNoToolchain(t *testing.T) {
	tr := newTree(t, "go.mod", goMod, "main.go", hello)
	t.Setenv("PATH", t.TempDir())
	_, err := tr.load(".", ".")
	if !errors.Is(err, exec.ErrNotFound) || !strings.Contains(logtest.Text(err), "install Go") {
		t.Errorf("error: %v", err)
	}
}

func TestCancelled(t *testing.T) {
	tr := newTree(t, "go.mod", goMod, "main.go", hello)
	why := errors.New("shutting down")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(why)
	if _, err := Load(ctx, Request{Dir: tr.dir, Env: tr.env}); !errors.Is(err, why) {
		t.Errorf("error: %v", err)
	}
}

// TestOutdatedIndex: the go command has kept what was in a directory, and does not notice that there is
// something else, of the same size and time.
func TestOutdatedIndex(t *testing.T) {
	const here, never = "//go:build unix || windows\n\npackage a\n", "//go:build never || neithe\n\npackage a\n"
	tr := newTree(t, "go.mod", goMod, "main.go", "package main\n\nimport _ \"example.com/app/a\"\n\nfunc main() {}\n")
	old := time.Now().Add(-time.Minute) // what is younger than 2 s is not kept
	written := func(text string) {
		t.Helper()
		tr.write("a/a.go", text)
		if err := os.Chtimes(filepath.Join(tr.dir, "a", "a.go"), old, old); err != nil {
			t.Fatal(err)
		}
	}
	written(never)
	if _, err := tr.load(".", "."); err == nil || !strings.Contains(err.Error(), "build constraints exclude all Go files") {
		t.Fatalf("the package has no files: %v", err)
	}
	written(here)
	asker := asker{tool: "go", req: Request{Dir: tr.dir, Package: ".", Env: tr.env}}
	if all, err := asker.listOnce(t.Context()); err != nil || !mayBeOutdated(all) {
		t.Fatalf("control: the go command notices: %+v, %v", all, err)
	}
	if g := tr.good(".", "."); !slices.Contains(tr.files(g), "a/a.go go") {
		t.Errorf("not listed: %v", tr.files(g))
	}
}
