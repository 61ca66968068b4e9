package classify_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/devguard/devguard/supervisor/classify"
)

func shop() *classify.Rules {
	return &classify.Rules{
		Base: "/shop",
		Graph: &classify.Graph{
			Package: "example.com/shop/cmd/app",
			Files: map[string]classify.Role{
				"/shop/cmd/app/main.go":              classify.GoFile,
				"/shop/internal/store/store.go":      classify.GoFile,
				"/shop/internal/store/store_arm.go":  classify.Excluded,
				"/shop/internal/web/web.go":          classify.GoFile,
				"/shop/internal/web/page/index.html": classify.Embedded,
				"/shop/go.mod":                       classify.Module,
				"/lib/lib.go":                        classify.GoFile,
			},
			Dirs: map[string]classify.Dir{
				"/shop/cmd/app":        {Package: "example.com/shop/cmd/app"},
				"/shop/internal/store": {Package: "example.com/shop/internal/store"},
				"/shop/internal/web":   {Package: "example.com/shop/internal/web", Embeds: []string{"page", "all:static", "*.txt", "deep/*/x"}},
				"/lib":                 {Package: "example.com/lib"},
			},
			MainDir: "/shop/cmd/app",
			Roots:   []string{"/shop", "/lib"},
			Match:   func(_, name string) bool { return !strings.Contains(name, "_windows") },
		},
		Include:  []string{"**/*.{html,sql}"},
		Exclude:  []string{"doc/**"},
		EnvFiles: []string{".env"},
		Config:   "/shop/devguard.toml",
		Hooks: []classify.Hook{
			{Name: "sqlc", Watch: []string{"./db/*.sql"}, Outputs: []string{"internal/db/**"}},
			{Name: "shared", Watch: []string{"../proto/**/*.proto"}},
		},
		Ignored: func(path string) bool { return strings.HasPrefix(path, "/shop/build/") },
	}
}

// kinds writes a class as a word for tables.
func kinds(c classify.Class) string {
	var out []string
	for _, k := range []struct {
		on   bool
		name string
	}{
		{c.Source, "source"}, {c.Shape, "shape"}, {c.Runtime, "runtime"}, {c.Asset == classify.Style, "style"}, {c.Asset == classify.Script, "script"}, {c.Env, "env"}, {c.Config, "config"},
		{len(c.Hooks) > 0, "hook"}, {len(c.Outputs) > 0, "output"},
	} {
		if k.on {
			out = append(out, k.name)
		}
	}
	return strings.Join(out, " ")
}

func TestClassify(t *testing.T) {
	for _, tt := range []struct{ path, want, reason string }{
		{"/shop/internal/store/store.go", "source", "Go source of package example.com/shop/internal/store, part of ./cmd/app"},
		{"/shop/internal/store/store_arm.go", "shape", "excluded by a build constraint (the constraint itself is watched)"},
		{"/shop/internal/store/new.go", "source shape", "Go source of package example.com/shop/internal/store, part of ./cmd/app"},
		{"/shop/internal/store/new_windows.go", "shape", "excluded by a build constraint (the constraint itself is watched)"},
		{"/shop/internal/store/new_windows.s", "", "not part of the binary, and matches no watch.include pattern"},
		{"/shop/internal/store/new.s", "source shape", "cgo or assembly source of package example.com/shop/internal/store, part of ./cmd/app"},
		{"/shop/internal/store/store_test.go", "", "test file: not part of the binary"},
		{"/shop/internal/store/_x.go", "", "the go command ignores files whose names begin with _ or ."},
		{"/shop/tools/gen.go", "", "package example.com/shop/tools is not imported by ./cmd/app"},
		{"/shop/gen.go", "", "package example.com/shop is not imported by ./cmd/app"},
		{"/elsewhere/gen.go", "", "the package in ../elsewhere is not imported by ./cmd/app"},
		{"/lib/lib.go", "source", "Go source of package example.com/lib, part of ./cmd/app"},
		{"/lib/go.mod", "source shape", "decides which modules ./cmd/app is built from"},
		{"/shop/go.mod", "source shape", "decides which modules ./cmd/app is built from"},
		{"/shop/go.work", "source shape", "decides which modules ./cmd/app is built from"},
		{"/go.work", "source shape", "decides which modules ./cmd/app is built from"},
		{"/shop/vendor/modules.txt", "source shape", "decides which modules ./cmd/app is built from"},
		{"/shop/other/go.mod", "", "not part of the binary, and matches no watch.include pattern"},
		{"/shop/cmd/app/default.pgo", "source shape", "the profile that ./cmd/app is built with"},
		{"/shop/internal/store/default.pgo", "", "not part of the binary, and matches no watch.include pattern"},

		{"/shop/internal/web/page/index.html", "source", "embedded by package example.com/shop/internal/web (//go:embed page)"},
		{"/shop/internal/web/page/sub/new.html", "source shape", "embedded by package example.com/shop/internal/web (//go:embed page)"},
		{"/shop/internal/web/page/_new.html", "runtime", `matches watch.include "**/*.{html,sql}"`},
		{"/shop/internal/web/page/.x/new", "", "not part of the binary, and matches no watch.include pattern"},
		{"/shop/internal/web/static/.x/_new", "source shape", "embedded by package example.com/shop/internal/web (//go:embed all:static)"},
		{"/shop/internal/web/_a.txt", "source shape", "embedded by package example.com/shop/internal/web (//go:embed *.txt)"},
		{"/shop/internal/web/deep/y/x/f", "source shape", "embedded by package example.com/shop/internal/web (//go:embed deep/*/x)"},

		{"/shop/page.html", "runtime", `matches watch.include "**/*.{html,sql}"`},
		{"/shop/doc/page.html", "", `matches watch.exclude "doc/**"`},
		{"/shop/build/page.html", "", "git ignores it"},
		{"/shop/build/main", "", "git ignores it"},
		{"/shop/node_modules/a/page.html", "", "inside node_modules"},
		{"/other/page.html", "", "not part of the binary, and matches no watch.include pattern"},
		{"/shop/.page.html.swp", "", "a temporary file of an editor"},
		{"/shop/page.html~", "", "a temporary file of an editor"},
		{"/shop/internal/store/4913", "", "a temporary file of an editor"},
		{"/shop/internal/store/.#store.go", "", "a temporary file of an editor"},

		{"/shop/.env", "env", "an env file in use"},
		{"/shop/devguard.toml", "config", "the configuration"},
		{"/shop/db/q.sql", "runtime hook", `watched by hook "sqlc"; matches watch.include "**/*.{html,sql}"`},
		{"/proto/a/b.proto", "hook", `watched by hook "shared"`},
		{"/shop/internal/db/q.go", "output", `an output of hook "sqlc"; package example.com/shop/internal/db is not imported by ./cmd/app`},
	} {
		c := shop().Classify(tt.path)
		if got := kinds(c); got != tt.want || c.Reason != tt.reason {
			t.Errorf("%s: %q, %q\nwant %q, %q", tt.path, got, c.Reason, tt.want, tt.reason)
		}
	}
}

// A file that git ignores is watched when watch.include names it by itself, and its directory is
// searched.
func TestNamedAlthoughGitIgnoresIt(t *testing.T) {
	r := shop()
	r.Include = append(r.Include, "build/conf.yaml", `build/a\[1].yaml`, "build/*.json")
	for path, want := range map[string]bool{
		"/shop/build/conf.yaml": true, "/shop/build/a[1].yaml": true, "/shop/build/x.json": false, "/shop/build/page.html": false,
	} {
		if c := r.Classify(path); c.Runtime != want {
			t.Errorf("%s: %+v, want a restart: %v", path, c, want)
		}
	}
	if !r.Named("/shop/build") || r.Named("/shop/build2") || r.Named("/shop/build/conf.yaml/x") {
		t.Error("the wrong directories lead to the named files")
	}
}

func TestSuggestIsALineThatWorks(t *testing.T) {
	r := shop()
	c := r.Explain("/shop/conf/a[1].yaml")
	const want = `watch.include = ["**/*.{html,sql}", "conf/a\\[1].yaml"]`
	if c.Suggest != want {
		t.Fatalf("suggests %s, want %s", c.Suggest, want)
	}
	r.Include = append(r.Include, `conf/a\[1].yaml`)
	if c := r.Explain("/shop/conf/a[1].yaml"); !c.Runtime || c.Suggest != "" {
		t.Fatalf("with that line: %+v", c)
	}
	for _, useless := range []string{"/shop/build/x.yaml", "/shop/doc/x.yaml", "/shop/x.yaml~", "/shop/go.mod", "/elsewhere/x.yaml"} {
		if s := r.Explain(useless).Suggest; s != "" {
			t.Errorf("%s: suggests %s, which would not help", useless, s)
		}
	}
}

func TestExcludeLineWorks(t *testing.T) {
	r := shop()
	r.Exclude = []string{"doc/**"}
	r.Include = append(r.Include, "/elsewhere/*.html")
	files := []string{"/shop/web/a[1].html", "/elsewhere/b.html"}
	const want = `watch.exclude = ["doc/**", "web/a\\[1].html", "/elsewhere/b.html"]`
	if got := r.ExcludeLine(files); got != want {
		t.Fatalf("%s, want %s", got, want)
	}
	for _, f := range files {
		r.Exclude = []string{"doc/**"}
		if !r.Classify(f).Runtime {
			t.Errorf("%s restarts nothing anyway", f)
		}
		r.Exclude = append(r.Exclude, `web/a\[1].html`, "/elsewhere/b.html")
		if r.Classify(f).Runtime {
			t.Errorf("%s restarts with that line", f)
		}
	}
}

// TestClassifyCgo: what only a C compiler or linker reads is never advised to be a file that the
// running app reads.
func TestClassifyCgo(t *testing.T) {
	r := shop()
	if s := r.Explain("/shop/native/a.c").Suggest; s == "" {
		t.Error("without cgo a .c file is a file like others")
	}
	r.Graph.Files["/native/a.h"] = classify.Included
	r.Graph.Files["/native/liba.a"] = classify.Library
	r.Graph.Files["/native/liba.so"] = classify.Library
	r.Graph.Files["/native/liba.so.1"] = classify.Library
	r.Graph.Cgo = []classify.Cgo{
		{Package: "example.com/lib", Includes: []string{"/native/a.h"}},
		{Package: "example.com/lib2", Includes: []string{"/native/a.h"}, Libraries: []string{"/native/liba.a", "/native/liba.so", "/native/liba.so.1"}},
	}
	const none = "no cgo package of ./cmd/app compiles, includes or links it; if a library is made from it, a hook can watch it and make that"
	const system = "in a directory of the system, where headers and libraries are not watched"
	for _, tt := range []struct{ path, want, reason string }{
		{"/native/a.h", "source", "included by C or assembly sources of package example.com/lib, part of ./cmd/app"},
		{"/native/liba.a", "source", "a library that package example.com/lib2 is linked with, part of ./cmd/app"},
		{"/native/liba.so", "source runtime", "a library that package example.com/lib2 is linked with, part of ./cmd/app"},
		{"/native/liba.so.1", "source runtime", "a library that package example.com/lib2 is linked with, part of ./cmd/app"},
		{"/native/b.h", "", none},
		{"/shop/native/a.c", "", none},
		{"/shop/native/a.o", "", none},
		{"/shop/build/a.o", "", "git ignores it"},
		{"/usr/include/stdio.h", "", system},
		{"/usr/local/lib/liba.a", "", system},
		{"/usr/src/app/a.h", "", none},
	} {
		c := r.Explain(tt.path)
		if got := kinds(c); got != tt.want || c.Reason != tt.reason || c.Suggest != "" {
			t.Errorf("%s: %q, %q, suggests %q\nwant %q, %q", tt.path, got, c.Reason, c.Suggest, tt.want, tt.reason)
		}
	}
}

// TestClassifyCgoUnknown: where not all that is read is known, nothing is said that may be wrong.
func TestClassifyCgoUnknown(t *testing.T) {
	for want, of := range map[string]classify.Cgo{
		"package a includes more files than are watched": {Package: "a", Cut: true},
		"what #cgo pkg-config of package a names":        {Package: "a", PkgConfig: true},
	} {
		r := shop()
		r.Graph.Cgo = []classify.Cgo{{Package: "x"}, of}
		if c := r.Explain("/shop/native/a.h"); !c.Ignored() || !strings.HasPrefix(c.Reason, want) || c.Suggest != "" {
			t.Errorf("%+v, want %q", c, want)
		}
	}
}

func TestClassifyCommand(t *testing.T) {
	r := shop()
	r.Graph, r.Command = nil, true
	for path, want := range map[string]string{
		"/shop/a.ts":             "runtime",
		"/shop/main_test.go":     "runtime",
		"/shop/build/a.js":       "",
		"/shop/doc/a.ts":         "",
		"/shop/node_modules/a/b": "",
		"/shop/.git/HEAD":        "",
		"/shop/.devguard/x":      "",
		"/shop/a.ts~":            "",
		"/shop/4913":             "",
		"/shop/.env":             "env",
		"/shop/devguard.toml":    "config",
		"/elsewhere/a.ts":        "",
	} {
		if got := kinds(r.Classify(path)); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

// TestClassifyAssets: what pages fetch by way of the app restarts nothing, in the tree of a command too; what the
// program or watch.include has does.
func TestClassifyAssets(t *testing.T) {
	for path, want := range map[string]string{
		"/shop/static/a.css":              "style",
		"/shop/static/a.js":               "script",
		"/shop/static/a.png":              "",
		"/shop/static/a.html":             "runtime",
		"/shop/build/a.css":               "",
		"/shop/doc/a.css":                 "",
		"/shop/static/a.css~":             "",
		"/shop/node_modules/a/b.js":       "",
		"/shop/internal/web/static/a.css": "source shape",
		"/elsewhere/a.css":                "",
	} {
		r := shop()
		r.Assets = []string{"**/*.{css,js,html}"}
		got := r.Classify(path)
		if kinds(got) != want {
			t.Errorf("%s: %q, want %q", path, kinds(got), want)
		}
		if got.Asset != 0 && (!got.Sought() || got.Ignored() || got.Reason != `matches front.reload "**/*.{css,js,html}"`) {
			t.Errorf("%s: %+v", path, got)
		}
	}
	r := shop()
	r.Graph, r.Command, r.Assets = nil, true, []string{"**/*.css"}
	for path, want := range map[string]string{"/shop/a.css": "style", "/shop/a.ts": "runtime"} {
		if got := kinds(r.Classify(path)); got != want {
			t.Errorf("of a command, %s: %q, want %q", path, got, want)
		}
	}
}

func TestHolds(t *testing.T) {
	r := shop()
	for dir, want := range map[string]bool{
		"/shop/internal/web/page/sub": true,
		"/shop/internal/web/page/.x":  false,
		"/shop/internal/web/static/a": true,
		"/shop/internal/web/deep":     true,
		"/shop/internal/web/deep/y/x": true,
		"/shop/internal/web/deep/y/z": false,
		"/shop/internal/web/other":    false,
		"/shop/db":                    true,
		"/shop/db/sub":                false,
		"/shop":                       true,
		"/proto/a/b/c":                true,
		"/proto/node_modules/b":       false,
		"/shop/tools":                 false,
	} {
		if got := r.Holds(dir); got != want {
			t.Errorf("%s: %v, want %v", dir, got, want)
		}
	}
}

func TestSeeks(t *testing.T) {
	r := shop()
	r.Include = []string{"web/**/*.html", "conf/*.yaml", `a\[1]/b/*.sql`, "/elsewhere/*.html"}
	r.Assets = []string{"static/**/*.css"}
	for dir, want := range map[string]bool{
		"/shop": true, "/shop/web": true, "/shop/web/a/b": true, "/shop/web2": false,
		"/shop/conf": true, "/shop/conf/sub": false, "/shop/a[1]": true, "/shop/a[1]/b": true, "/shop/a[1]/c": false,
		"/shop/static/a": true, "/shop/data": false, "/shop/data/web": false, "/elsewhere": true,
	} {
		if got := r.Seeks(dir); got != want {
			t.Errorf("%s: %v, want %v", dir, got, want)
		}
	}
	r.Include = append(r.Include, "**/*.{html,tmpl}")
	if !r.Seeks("/shop/data/a") {
		t.Error("a glob for all of the tree does not reach a directory of it")
	}
	r.Include, r.Command = nil, true
	if !r.Seeks("/shop/data/a") {
		t.Error("a command reads all of its tree")
	}
}

func FuzzClassify(f *testing.F) {
	for _, path := range []string{"", "/", ".", "..", "/shop", "/shop/", "/shop/a\x00b", "/shop/../x", "relative.go", "/shop/internal/web/", "//", "/shop/db/[.sql"} {
		f.Add(path, "**/*.html", "all:page")
	}
	f.Add("/shop/x", "[", "[")
	f.Add("/shop/x", "{a,{b", "\\")
	f.Fuzz(func(t *testing.T, path, glob, embed string) {
		r := shop()
		r.Graph.Files[filepath.Clean(path)] = classify.GoFile
		web := r.Graph.Dirs["/shop/internal/web"]
		web.Embeds = append(web.Embeds, embed)
		r.Graph.Dirs["/shop/internal/web"] = web
		r.Include = append(r.Include, glob)
		r.Hooks[0].Watch = append(r.Hooks[0].Watch, glob)
		if c := r.Classify(path); !c.Source || c.Ignored() || c.Reason == "" {
			t.Fatalf("a Go file of the graph is %+v", c)
		}
		r.Holds(path)
		delete(r.Graph.Files, filepath.Clean(path))
		c := r.Classify(path)
		if c.Reason == "" {
			t.Fatal("no reason")
		}
		if c.Sought() && path == filepath.Clean(path) && !r.Seeks(filepath.Dir(path)) {
			t.Fatalf("%q restarts the app, but its directory would not be searched", path)
		}
		if len(c.Hooks) > 0 && slices.Contains(c.Hooks, 0) && path == filepath.Clean(path) && !r.Holds(filepath.Dir(path)) && !strings.Contains(path, "node_modules") && !literalParent(r, path) {
			t.Fatalf("a hook watches %q, but its directory would not be listed", path)
		}
	})
}

// literalParent reports whether a hook's glob looks directly in path's directory, which is then
// listed from the start.
func literalParent(r *classify.Rules, path string) bool {
	for _, h := range r.Hooks {
		for _, g := range h.Watch {
			if dir, _ := r.Split(g); dir == filepath.Dir(path) {
				return true
			}
		}
	}
	return false
}
