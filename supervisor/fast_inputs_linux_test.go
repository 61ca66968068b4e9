package supervisor

import (
	"archive/zip"
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/devguard/devguard/supervisor/build"
	"github.com/devguard/devguard/supervisor/fastbuild"
	"github.com/devguard/devguard/supervisor/graph"
)

// project is a tree of files that programs are built from, without the network: modules that are not
// directories of it come from one that is a proxy.
type project struct {
	*fastWorld
	dir string // of all
}

const mainOf = "package main\n\nimport %q\n\nfunc main() { println(%s) }\n"

// newProject makes a project whose program is in dir/app.
func newProject(t *testing.T, files map[string]string) *project {
	t.Helper()
	p := &project{dir: t.TempDir()}
	p.write(t, files)
	p.fastWorld = newFastWorld(t, &sources{t: t, dir: filepath.Join(p.dir, "app")})
	return p
}

// setenv sets variables of the go command.
func (p *project) setenv(env ...string) {
	p.plain.Env, p.own.Env = append(p.plain.Env, env...), append(p.own.Env, env...)
}

// write writes files, each anew; "" removes one.
func (p *project) write(t *testing.T, files map[string]string) {
	t.Helper()
	for name, text := range files {
		file := filepath.Join(p.dir, filepath.FromSlash(name))
		err := os.MkdirAll(filepath.Dir(file), 0o755)
		if text == "" {
			err = os.RemoveAll(file)
		} else if err == nil {
			err = os.WriteFile(file, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// edit replaces text in a file that may be read-only.
func (p *project) edit(t *testing.T, name, from, to string) {
	t.Helper()
	file := filepath.Join(p.dir, filepath.FromSlash(name))
	text, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(text), from) {
		t.Fatalf("no %q in %s: %v", from, name, err)
	}
	err = errors.Join(os.Chmod(file, 0o644), os.WriteFile(file, []byte(strings.ReplaceAll(string(text), from, to)), 0o644))
	if err != nil {
		t.Fatal(err)
	}
}

// watched has the world know the module files as devguard would.
func (p *project) watched(t *testing.T) {
	t.Helper()
	g, err := graph.Load(t.Context(), graph.Request{Dir: p.own.Dir, Package: ".", Env: p.own.Env})
	if err != nil {
		t.Fatal(err)
	}
	p.modules = (&Supervisor{graph: g}).moduleFiles()
}

// serve has the go command take module example.com/cached v1.0.0 from a directory, into a module cache
// that is the test's own.
func (p *project) serve(t *testing.T, files map[string]string) {
	t.Helper()
	const base = "proxy/example.com/cached/@v/v1.0.0."
	var zipped bytes.Buffer
	w := zip.NewWriter(&zipped)
	for name, text := range files {
		f, err := w.Create("example.com/cached@v1.0.0/" + name)
		if err == nil {
			_, err = f.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	p.write(t, map[string]string{
		base + "info": `{"Version": "v1.0.0", "Time": "2020-01-01T00:00:00Z"}`, base + "mod": files["go.mod"], base + "zip": zipped.String(),
	})
	flags := "-modcacherw -mod=mod"
	p.plain.Goflags, p.own.Goflags = &flags, &flags
	p.setenv("GOPROXY=file://"+filepath.Join(p.dir, "proxy"), "GOSUMDB=off", "GOFLAGS="+flags, "GOMODCACHE="+filepath.Join(p.dir, "cache"))
}

// way is one edit, and how what it leads to is built.
type way struct {
	name string
	edit func()
	want string
}

func (p *project) goes(t *testing.T, ways []way) {
	t.Helper()
	for _, w := range ways {
		w.edit()
		if got := p.step(); got != w.want {
			t.Errorf("%s: %s, want %s", w.name, got, w.want)
		}
	}
}

// A module that no package comes from has a say in the versions of the others, and of Go.
func TestFastBuildsKnowModulesWithoutPackages(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		files  map[string]string
		raised string
	}{
		"in a workspace": {map[string]string{
			"go.work":    "go 1.24\n\nuse (\n\t./app\n\t./lib\n\t./mute\n)\n",
			"app/go.mod": "module example.com/app\n\ngo 1.24\n",
		}, "go 1.25.0\n"},
		"in place of another": {map[string]string{ // later than Go 1.16 its go.mod is read when a package is sought
			"app/go.mod": "module example.com/app\n\ngo 1.16\n\nrequire (\n\texample.com/lib v1.0.0\n\texample.com/mute v1.0.0\n)\n\n" +
				"replace (\n\texample.com/mute => ../mute\n\texample.com/lib => ../lib\n)\n",
		}, "go 1.16\n\nrequire example.com/lib v1.1.0\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProject(t, test.files)
			p.setenv("GOWORK=")
			p.write(t, map[string]string{
				"app/main.go": fmt.Sprintf(mainOf, "example.com/lib", "lib.F(), 1"),
				"lib/go.mod":  "module example.com/lib\n\ngo 1.16\n",
				"lib/lib.go":  "package lib\n\nfunc F() int { return 1 }\n",
				"mute/go.mod": "module example.com/mute\n\ngo 1.16\n",
			})
			p.watched(t)
			p.step()
			p.goes(t, []way{
				{"a body", func() { p.edit(t, "lib/lib.go", "1", "2") }, "fast"},
				{"a body, and versions", func() {
					p.edit(t, "app/main.go", ", 1", ", 2")
					p.write(t, map[string]string{"mute/go.mod": "module example.com/mute\n\n" + test.raised})
				}, "does not build"},
			})
		})
	}
}

// A vendor directory makes the go command take all modules from there, also in the root of a module that has no
// package there.
func TestFastBuildsKnowThatVendorComes(t *testing.T) {
	t.Parallel()
	p := newProject(t, map[string]string{
		"app/go.mod":      "module example.com/app\n\ngo 1.24\n",
		"app/cmd/main.go": "package main\n\nfunc main() { println(1) }\n",
	})
	p.plain.Package, p.own.Package = "./cmd", "./cmd"
	p.step()
	p.goes(t, []way{
		{"a body", func() { p.edit(t, "app/cmd/main.go", "1", "2") }, "fast"},
		{"a body, with an empty vendor directory", func() {
			p.edit(t, "app/cmd/main.go", "2", "3")
			p.write(t, map[string]string{"app/vendor/text": "text"})
		}, string(fastbuild.FilesCame)},
	})
}

// People write into the module cache to find a mistake, and the go command compiles that.
func TestFastBuildsKnowEditsOfTheModuleCache(t *testing.T) {
	t.Parallel()
	p := newProject(t, map[string]string{
		"app/go.mod":  "module example.com/app\n\ngo 1.24\n\nrequire example.com/cached v1.0.0\n\nreplace example.com/lib => ../lib\n",
		"app/main.go": fmt.Sprintf(mainOf, "example.com/cached", "cached.F(), 1"),
		"lib/go.mod":  "module example.com/lib\n\ngo 1.24\n",
		"lib/lib.go":  "package lib\n\nconst C = 1\n",
	})
	p.serve(t, map[string]string{
		"go.mod":    "module example.com/cached\n\ngo 1.24\n\nrequire example.com/lib v1.0.0\n",
		"cached.go": "package cached\n\nimport \"example.com/lib\"\n\nfunc F() int { return lib.C + 100 }\n",
	})
	const cached = "cache/example.com/cached@v1.0.0/cached.go"
	p.step()
	p.goes(t, []way{
		{"a body", func() { p.edit(t, "app/main.go", ", 1", ", 2") }, "fast"},
		{"what a module of the cache imports", func() { p.edit(t, "lib/lib.go", "C = 1", "C = 2") }, "fast"},
		{"a body, and in the cache", func() {
			p.edit(t, "app/main.go", ", 2", ", 3")
			p.edit(t, cached, "100", "200")
		}, string(fastbuild.Outside)},
		{"a body, with that as it is now", func() { p.edit(t, "app/main.go", ", 3", ", 4") }, "fast"},
		{"what it imports", func() { p.edit(t, "lib/lib.go", "C = 2", "C = 3") }, "fast"},
	})
}

// The go command embeds regular files, by names that are known.
func TestFastBuildsOfEmbeddedFiles(t *testing.T) {
	t.Parallel()
	p := newProject(t, map[string]string{
		"app/go.mod": "module example.com/app\n\ngo 1.24\n",
		"app/main.go": "package main\n\nimport \"embed\"\n\n//go:embed *.html a.txt sub/b.txt whole parts/*/*.txt\nvar files embed.FS\n\n" +
			"func main() { _, err := files.Open(\"a.txt\"); println(err, 1) }\n",
		"app/page.html": "page", "app/a.txt": "a", "app/sub/b.txt": "b", "app/whole/down/c.txt": "c", "app/parts/a/a.txt": "a", "away/b.txt": "b",
	})
	link := func(to, name string) {
		t.Helper()
		name = filepath.Join(p.dir, name)
		if err := errors.Join(os.RemoveAll(name), os.Symlink(filepath.Join(p.dir, to), name)); err != nil {
			t.Fatal(err)
		}
	}
	p.step()
	p.goes(t, []way{
		{"a page", func() { p.write(t, map[string]string{"app/page.html": "another"}) }, "fast"},
		{"a file below a directory", func() { p.write(t, map[string]string{"app/whole/down/c.txt": "cc"}) }, "fast"},
		{"what no pattern matches comes", func() {
			p.edit(t, "app/main.go", "1)", "2)")
			p.write(t, map[string]string{"app/node_modules/x/x.html": "x", "app/sub/x.html": "x", "app/app.db": "x"})
		}, "fast"},
		{"a page comes", func() { p.write(t, map[string]string{"app/other.html": "other"}) }, string(fastbuild.FilesCame)},
		{"a file comes below a directory", func() { p.write(t, map[string]string{"app/whole/down/d.txt": "d"}) }, string(fastbuild.FilesCame)},
		{"a file comes to another directory that a pattern matches", func() { p.write(t, map[string]string{"app/parts/b/b.txt": "b"}) }, string(fastbuild.FilesCame)},
		{"a directory below becomes a module", func() { p.write(t, map[string]string{"app/sub/go.mod": "module example.com/sub\n"}) }, "does not build"},
		{"and none again", func() { p.write(t, map[string]string{"app/sub/go.mod": "", "app/a.txt": "aa"}) }, "fast"},
		{"a link comes in its place", func() { link("away", "app/sub"); p.edit(t, "app/main.go", "2)", "3)") }, "does not build"},
		{"and the directory again", func() {
			p.write(t, map[string]string{"app/sub": ""})
			p.write(t, map[string]string{"app/sub/b.txt": "b"})
		}, "fast"},
		{"a link comes in the place of a file", func() { link("away/b.txt", "app/a.txt"); p.edit(t, "app/main.go", "3)", "4)") }, "does not build"},
		{"in that of a page", func() {
			p.write(t, map[string]string{"app/a.txt": ""})
			p.write(t, map[string]string{"app/a.txt": "aa"})
			link("away/b.txt", "app/page.html")
		}, "does not build"},
	})
}

// A vendored package is one like the project's own.
func TestFastBuildsOfVendoredPackages(t *testing.T) {
	t.Parallel()
	p := newProject(t, map[string]string{
		"app/go.mod":                           "module example.com/app\n\ngo 1.24\n\nrequire example.com/dep v1.0.0\n",
		"app/main.go":                          fmt.Sprintf(mainOf, "example.com/dep", "dep.F()"),
		"app/vendor/modules.txt":               "# example.com/dep v1.0.0\n## explicit; go 1.24\nexample.com/dep\n",
		"app/vendor/example.com/dep/dep.go":    "package dep\n\nfunc F() int { return 1 }\n",
		"app/vendor/example.com/dep/ignore.md": "x",
	})
	p.step()
	p.goes(t, []way{
		{"a body", func() { p.edit(t, "app/vendor/example.com/dep/dep.go", "1", "2") }, "fast"},
		{"what is vendored", func() {
			p.edit(t, "app/main.go", "F())", "F(), 2)")
			p.edit(t, "app/vendor/modules.txt", "example.com/dep v1.0.0\n", "example.com/dep v1.0.1\n")
		}, "does not build"},
		{"and as it was", func() { p.edit(t, "app/vendor/modules.txt", "v1.0.1", "v1.0.0") }, "fast"},
	})
}

// Programs make files beside the sources and remove them, also while the program is verified.
func TestRecordedBesideAnAppThatWrites(t *testing.T) {
	t.Parallel()
	p := newProject(t, map[string]string{
		"app/go.mod":    "module example.com/app\n\ngo 1.24\n",
		"app/main.go":   "package main\n\nimport _ \"embed\"\n\n//go:embed a*.html\nvar page string\n\nfunc main() { println(page) }\n",
		"app/page.html": "x", "app/a.html": "page",
	})
	p.step()
	for file, kind := range map[string]fastbuild.Kind{"app/app.db-journal": "", "app/more.go": fastbuild.Written} {
		req := p.own
		req.Out = p.path("own")
		req.Sources.Packages = []build.Package{{Path: "example.com/app", Dir: req.Dir}}
		_, plan, err := verifyBy(t.Context(), req, nil, nil, p.path("record"), func(build.Result) bool {
			p.write(t, map[string]string{file: "package main\n"})
			if kind == "" {
				p.write(t, map[string]string{file: ""})
			}
			return true
		})
		if refusal := (*fastbuild.Refusal)(nil); kind == "" && plan == nil || kind != "" && (!errors.As(err, &refusal) || refusal.Kind != kind) {
			t.Errorf("%s: %v", file, err)
		}
		p.write(t, map[string]string{file: ""})
		p.n++
	}
}

// Profilers keep symbols by the build ID, or by the GNU build ID, which is a hash of it.
func TestFastBuildsHaveBuildIDs(t *testing.T) {
	t.Parallel()
	p := newProject(t, map[string]string{
		"app/go.mod":  "module example.com/app\n\ngo 1.24\n",
		"app/main.go": "package main\n\nfunc main() { println(1) }\n",
	})
	p.step()
	of := map[string]string{} // what the program prints, by its build IDs
	for n, change := range []string{"12", "23", "31", "12"} {
		p.edit(t, "app/main.go", change[:1], change[1:])
		target := fastbuild.Target{Out: p.path("fast"), Folder: p.path(fmt.Sprint("objects", n))}
		made, err := p.plan.Make(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		p.plan = made.Next
		for _, id := range buildIDs(t, target.Out) {
			if prints, ok := of[id]; ok && prints != change[1:] {
				t.Errorf("what prints %s has the build ID of what prints %s", change[1:], prints)
			}
			of[id] = change[1:]
		}
	}
	if len(of) != 6 {
		t.Errorf("there are %d build IDs of 3 programs", len(of))
	}
}

// buildIDs returns Go's and GNU's.
func buildIDs(t *testing.T, program string) []string {
	t.Helper()
	file, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var all []string
	for _, name := range []string{".note.go.buildid", ".note.gnu.build-id"} {
		id, err := file.Section(name).Data()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(id))
	}
	return all
}
