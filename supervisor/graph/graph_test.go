package graph

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/devguard/devguard/supervisor/classify"
)

const (
	goMod = "module example.com/app\n\ngo 1.25\n"
	hello = "package main\n\nfunc main() {}\n"
)

// tree is a directory of files to load graphs of.
type tree struct {
	t   *testing.T
	dir string
	env []string
}

// newTree writes files, given as name, contents, name, contents ... The directory is a repository's
// root, so that nothing above it counts.
func newTree(t *testing.T, files ...string) *tree {
	t.Helper()
	tr := &tree{t: t, dir: t.TempDir()}
	tr.write(append(files, ".git/HEAD", "")...)
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if name != "GOFLAGS" && name != "GOWORK" && name != "GOENV" {
			tr.env = append(tr.env, kv)
		}
	}
	tr.env = append(tr.env, "GOENV=off", "GOPROXY=off")
	return tr
}

func (tr *tree) write(files ...string) {
	tr.t.Helper()
	for i := 0; i < len(files); i += 2 {
		name := filepath.Join(tr.dir, files[i])
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			tr.t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(files[i+1]), 0o666); err != nil {
			tr.t.Fatal(err)
		}
	}
}

func (tr *tree) load(sub, pkg string, flags ...string) (*classify.Graph, error) {
	return Load(context.Background(), Request{Dir: filepath.Join(tr.dir, sub), Package: pkg, Flags: flags, Env: tr.env})
}

// good loads and must succeed.
func (tr *tree) good(sub, pkg string, flags ...string) *classify.Graph {
	tr.t.Helper()
	g, err := tr.load(sub, pkg, flags...)
	if err != nil {
		tr.t.Fatal(err)
	}
	return g
}

var roles = map[classify.Role]string{
	classify.GoFile: "go", classify.OtherSource: "other", classify.Embedded: "embed", classify.Excluded: "excluded", classify.Module: "module",
	classify.Profile: "profile",
}

// files are the files of g below the tree, each with its role.
func (tr *tree) files(g *classify.Graph) []string {
	var all []string
	for name, role := range g.Files {
		all = append(all, tr.rel(name)+" "+roles[role])
	}
	slices.Sort(all)
	return all
}

func (tr *tree) dirs(g *classify.Graph) []string {
	var all []string
	for path, d := range g.Dirs {
		all = append(all, tr.rel(path)+" "+d.Package)
	}
	slices.Sort(all)
	return all
}

func (tr *tree) rel(name string) string {
	rel, err := filepath.Rel(tr.dir, name)
	if err != nil {
		tr.t.Fatal(err)
	}
	return rel
}

func (tr *tree) check(what string, got []string, want ...string) {
	tr.t.Helper()
	slices.Sort(want)
	if !slices.Equal(got, want) {
		tr.t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

func TestModule(t *testing.T) {
	tr := newTree(t, "go.mod", goMod,
		"cmd/app/main.go", "package main\n\nimport (\n\t\"fmt\"\n\n\t_ \"example.com/app/lib\"\n)\n\nfunc main() { fmt.Println() }\n",
		"cmd/app/main_test.go", "package main\n", "cmd/app/x_plan9.go", "package main\n",
		"lib/lib.go", "package lib\n", "lib/lib_test.go", "package lib_test\n", "lib/tagged.go", "//go:build special\n\npackage lib\n",
		"lib/add.s", "", "lib/sub/sub.go", "package sub\n", "unused/unused.go", "package unused\n",
		"nested/go.mod", "module example.com/app/nested\n", "nested/n.go", "package nested\n")
	common := []string{"go.mod module", "go.sum module", "vendor/modules.txt module", "cmd/go.work module", "go.work module",
		"cmd/app/default.pgo profile", "cmd/app/main.go go", "cmd/app/x_plan9.go excluded", "lib/lib.go go", "lib/add.s other"}

	g := tr.good("cmd", "./app")
	tr.check("files", tr.files(g), append(common, "lib/tagged.go excluded")...)
	tr.check("dirs", tr.dirs(g), "cmd/app example.com/app/cmd/app", "lib example.com/app/lib")
	if g.Package != "example.com/app/cmd/app" || !slices.Equal(g.Roots, []string{tr.dir}) {
		t.Errorf("package %s, roots %s", g.Package, g.Roots)
	}
	tr.check("files with -tags", tr.files(tr.good("cmd", "./app", "-tags", "special")), append(common, "lib/tagged.go go")...)
	tr.env = append(tr.env, "GOFLAGS=-tags=special")
	tr.check("files with GOFLAGS", tr.files(tr.good("cmd", "example.com/app/cmd/app", "-race", "-ldflags", "-s", "-v", "-o=x")),
		append(common, "lib/tagged.go go")...)
}

func TestReplaceOutsideTheRoot(t *testing.T) {
	tr := newTree(t, "app/go.mod", goMod+"\nrequire (\n\texample.com/lib v1.0.0\n\texample.com/idle v1.0.0\n)\n\n"+
		"replace example.com/lib => ../lib\n\nreplace example.com/idle => ../idle\n",
		"app/main.go", "package main\n\nimport _ \"example.com/lib/a\"\n\nfunc main() {}\n",
		"lib/go.mod", "module example.com/lib\n\ngo 1.25\n", "lib/a/a.go", "package a\n",
		"idle/go.mod", "module example.com/idle\n\ngo 1.25\n")
	g := tr.good("app", "")
	tr.check("dirs", tr.dirs(g), "app example.com/app", "lib/a example.com/lib/a")
	tr.check("files", tr.files(g), "app/go.mod module", "app/go.sum module", "app/vendor/modules.txt module", "app/go.work module", "go.work module",
		"app/default.pgo profile", "app/main.go go", "lib/go.mod module", "lib/go.sum module", "lib/a/a.go go",
		"idle/go.mod module", "idle/go.sum module")
	tr.check("roots", []string{tr.rel(g.Roots[0]), tr.rel(g.Roots[1])}, "app", "lib")
	tr.write("app/main.go", "package main\n\nimport _ \"example.com/lib/soon\"\n\nfunc main() {}\n")
	g, err := tr.load("app", ".")
	if err == nil {
		t.Error("no error for a missing package")
	}
	tr.check("dirs of a missing package", tr.dirs(g), "app example.com/app", "lib/soon example.com/lib/soon")
}

func TestWorkspace(t *testing.T) {
	tr := newTree(t, "go.work", "go 1.25\n\nuse (\n\t./app\n\t./lib\n\t./idle\n)\n",
		"app/go.mod", goMod, "app/main.go", "package main\n\nimport _ \"example.com/lib\"\n\nfunc main() {}\n",
		"lib/go.mod", "module example.com/lib\n\ngo 1.25\n", "lib/lib.go", "package lib\n",
		"idle/go.mod", "module example.com/idle\n\ngo 1.25\n")
	g := tr.good("app", ".")
	tr.check("files", tr.files(g), "go.work module", "go.work.sum module", "vendor/modules.txt module", "app/vendor/modules.txt module",
		"app/go.mod module", "app/go.sum module", "app/main.go go", "app/default.pgo profile",
		"lib/go.mod module", "lib/go.sum module", "lib/lib.go go", "idle/go.mod module", "idle/go.sum module")
	if g := tr.good(".", "./app"); len(g.Dirs) != 2 {
		t.Errorf("from the workspace's root: %s", tr.dirs(g))
	}
	tr.env = append(tr.env, "GOWORK=off")
	g, err := tr.load("app", ".")
	if err == nil || g == nil || slices.Contains(tr.files(g), "go.work module") {
		t.Errorf("GOWORK=off: error %v, graph %+v", err, g)
	}
}

func TestVendor(t *testing.T) {
	tr := newTree(t, "go.mod", goMod+"\nrequire example.com/dep v1.0.0\n",
		"main.go", "package main\n\nimport _ \"example.com/dep\"\n\nfunc main() {}\n",
		"vendor/modules.txt", "# example.com/dep v1.0.0\n## explicit\nexample.com/dep\n", "vendor/example.com/dep/dep.go", "package dep\n")
	g := tr.good(".", ".")
	tr.check("dirs", tr.dirs(g), ". example.com/app", "vendor/example.com/dep example.com/dep")
	if g.Files[filepath.Join(tr.dir, "vendor/modules.txt")] != classify.Module {
		t.Error("vendor/modules.txt is not in the graph")
	}
}

func TestEmbed(t *testing.T) {
	tr := newTree(t, "go.mod", goMod, "static/a.css", "", "static/deep/b.css", "", "static/.hidden", "", "page.html", "", "all/_x", "",
		"main.go", "package main\n\nimport \"embed\"\n\n//go:embed static page.*\n//go:embed all:all\nvar fs embed.FS\n\nfunc main() { _ = fs }\n")
	g := tr.good(".", ".")
	for _, name := range []string{"static/a.css", "static/deep/b.css", "page.html", "all/_x"} {
		if g.Files[filepath.Join(tr.dir, name)] != classify.Embedded {
			t.Errorf("%s is not embedded", name)
		}
	}
	if _, ok := g.Files[filepath.Join(tr.dir, "static/.hidden")]; ok {
		t.Error("a hidden file is embedded")
	}
	if got := g.Dirs[tr.dir].Embeds; !slices.Equal(got, []string{"all:all", "page.*", "static"}) {
		t.Errorf("patterns: %q", got)
	}
}

func TestCgo(t *testing.T) {
	tr := newTree(t, "go.mod", goMod, "three.c", "int three(void) { return 3; }\n", "three.h", "",
		"main.go", "package main\n\n// int three(void);\nimport \"C\"\n\nfunc main() { C.three() }\n", "other.go", "//go:build !cgo\n\npackage main\n")
	tr.env = append(tr.env, "CGO_ENABLED=1")
	g := tr.good(".", ".")
	for name, role := range map[string]classify.Role{"main.go": classify.GoFile, "three.c": classify.OtherSource, "three.h": classify.OtherSource,
		"other.go": classify.Excluded} {
		if g.Files[filepath.Join(tr.dir, name)] != role {
			t.Errorf("%s: role %d, want %d", name, g.Files[filepath.Join(tr.dir, name)], role)
		}
	}
	if !g.Match(tr.dir, "main.go") || g.Match(tr.dir, "other.go") {
		t.Error("match is wrong with cgo")
	}
	tr.env = append(tr.env, "CGO_ENABLED=0")
	g, _ = tr.load(".", ".")
	if g.Match(tr.dir, "main.go") || !g.Match(tr.dir, "other.go") {
		t.Error("match is wrong without cgo")
	}
}

func TestFlagFiles(t *testing.T) {
	tr := newTree(t, "go.mod", goMod, "main.go", hello, "alt.mod", goMod, "new/main.go", hello, "p.pgo", "",
		"overlay.json", `{"Replace": {"main.go": "new/main.go"}}`)
	g := tr.good(".", ".", "-modfile=alt.mod", "-overlay", "overlay.json", "-pgo=p.pgo")
	for name, role := range map[string]classify.Role{"alt.mod": classify.Module, "alt.sum": classify.Module, "overlay.json": classify.Module,
		"new/main.go": classify.GoFile, "p.pgo": classify.Profile} {
		if g.Files[filepath.Join(tr.dir, name)] != role {
			t.Errorf("%s: role %d, want %d", name, g.Files[filepath.Join(tr.dir, name)], role)
		}
	}
	if _, ok := g.Files[filepath.Join(tr.dir, "default.pgo")]; ok {
		t.Error("default.pgo counts although -pgo names a file")
	}
}

// TestSymlinks: directories keep the names that the go command prints.
func TestSymlinks(t *testing.T) {
	tr := newTree(t, "real/go.mod", goMod, "real/main.go", hello, "app/go.mod", goMod+"\nrequire example.com/lib v1.0.0\n\nreplace example.com/lib => ../link\n",
		"app/main.go", "package main\n\nimport _ \"example.com/lib\"\n\nfunc main() {}\n", "lib/go.mod", "module example.com/lib\n", "lib/lib.go", "package lib\n")
	for target, link := range map[string]string{"real": "dir", "lib": "link"} {
		if err := os.Symlink(target, filepath.Join(tr.dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	tr.check("working directory", tr.dirs(tr.good("dir", ".")), "dir example.com/app")
	tr.check("replaced module", tr.dirs(tr.good("app", ".")), "app example.com/app", "link example.com/lib")
}

func TestMatch(t *testing.T) {
	tr := newTree(t, "go.mod", goMod, "main.go", hello, "a_windows.go", "package main\n", "tag.go", "//go:build x\n\npackage main\n",
		"race.go", "//go:build race\n\npackage main\n", "ignore.go", "//go:build ignore\n\npackage main\n", "a_test.go", "package main\n",
		"_x.go", "package main\n", ".x.go", "package main\n", "README.md", "", "broken.go", "pack\n", "v.go", "//go:build go1.25 && !go1.99\n\npackage main\n",
		"s.s", "//go:build x\n", "c.c", "")
	g, _ := tr.load(".", ".")
	tests := map[string]bool{"main.go": true, "a_windows.go": false, "tag.go": false, "race.go": false, "ignore.go": false, "a_test.go": false,
		"_x.go": false, ".x.go": false, "README.md": false, "broken.go": true, "gone.go": true, "gone_windows.go": false, "v.go": true,
		"s.s": false, "c.c": true}
	for name, want := range tests {
		if got := g.Match(tr.dir, name); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	g, _ = tr.load(".", ".", "-tags=x,y", "-race")
	for _, name := range []string{"tag.go", "race.go", "s.s"} {
		if !g.Match(tr.dir, name) {
			t.Errorf("%s does not match with -tags=x,y -race", name)
		}
	}
}

func TestUnion(t *testing.T) {
	old := &classify.Graph{Package: "p", Files: map[string]classify.Role{"/a": classify.GoFile, "/b": classify.GoFile},
		Dirs: map[string]classify.Dir{"/x": {}, "/y": {}}, Roots: []string{"/"}, Cgo: []classify.Cgo{{Package: "c", Dir: "old"}, {Package: "d"}}}
	next := &classify.Graph{Files: map[string]classify.Role{"/a": classify.Excluded}, Dirs: map[string]classify.Dir{"/x": {Package: "new"}}, Roots: []string{"/", "/m"},
		Cgo: []classify.Cgo{{Package: "c", Dir: "new"}}}
	u := Union(old, next)
	if u.Package != "p" || u.Files["/a"] != classify.Excluded || u.Files["/b"] != classify.GoFile || len(u.Dirs) != 2 || u.Dirs["/x"].Package != "new" ||
		!slices.Equal(u.Roots, []string{"/", "/m"}) {
		t.Errorf("union: %+v", u)
	}
	if len(u.Cgo) != 2 || u.Cgo[0].Dir != "new" || u.Cgo[1].Package != "d" {
		t.Errorf("cgo packages: %+v", u.Cgo)
	}
	if Union(nil, next) != next || Union(old, nil) != old || Union(nil, nil) != nil {
		t.Error("union with nothing is not the other one")
	}
	if len(old.Files) != 2 || len(next.Files) != 1 {
		t.Error("a frozen graph was changed")
	}
}
