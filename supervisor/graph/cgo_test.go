package graph

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/devguard/devguard/supervisor/classify"
)

// cgoOf returns what a graph says of its one cgo package, relative to the tree.
func (tr *tree) cgoOf(g *classify.Graph) (of classify.Cgo, includes, libraries []string) {
	tr.t.Helper()
	if len(g.Cgo) != 1 {
		tr.t.Fatalf("cgo packages: %+v", g.Cgo)
	}
	of = g.Cgo[0]
	for _, name := range of.Includes {
		includes = append(includes, tr.rel(name))
		if role := g.Files[name]; role != classify.Included {
			tr.t.Errorf("%s: role %d", name, role)
		}
	}
	for _, name := range of.Libraries {
		libraries = append(libraries, tr.rel(name))
		if role := g.Files[name]; role != classify.Library {
			tr.t.Errorf("%s: role %d", name, role)
		}
	}
	slices.Sort(includes) // as relative names
	return of, includes, libraries
}

// source is a main package with C lines above import "C".
func source(c string) string {
	return "package main\n\n/*\n" + c + "*/\nimport \"C\"\n\nfunc main() {}\n"
}

func TestIncludes(t *testing.T) {
	for _, tt := range []struct {
		name, c string
		files   []string
		want    []string
	}{
		{"nothing", "int f(void);\n", nil, nil},
		{"the system's", "#include <stdio.h>\n#include \"stdlib.h\"\n#include <sys/types.h>\n", nil, nil},
		{"in the package's directory", "#include \"own.h\"\n", []string{"app/own.h", ""}, nil},
		{"of another suffix there", "#include \"own.inc\"\n", []string{"app/own.inc", ""}, []string{"app/own.inc"}},
		{"excluded by its name, and included", "#include \"own_plan9.h\"\n", []string{"app/own_plan9.h", ""}, []string{"app/own_plan9.h"}},
		{"below it", "# include  \"sub/a.h\"\n", []string{"app/sub/a.h", ""}, []string{"app/sub/a.h"}},
		{"beside it", "#include \"../b/b.h\"\n", []string{"b/b.h", ""}, []string{"b/b.h"}},
		{"a source", "#include \"../b/b.c\"\n", []string{"b/b.c", ""}, []string{"b/b.c"}},
		{"-I", "#cgo CFLAGS: -I../inc\n#include <a.h>\n", []string{"inc/a.h", "", "inc/idle.h", ""}, []string{"app/a.h", "inc/a.h"}},
		{"-I in two words, SRCDIR", "#cgo CPPFLAGS: -I ${SRCDIR}/../inc\n#include \"a.h\"\n", []string{"inc/a.h", ""}, []string{"app/a.h", "inc/a.h"}},
		{"-isystem and -iquote", "#cgo CFLAGS: -isystem ../s -iquote ../q\n#include <a.h>\n#include \"b.h\"\n", []string{"s/a.h", "", "q/b.h", "", "q/a.h", ""},
			[]string{"app/a.h", "app/b.h", "q/b.h", "s/a.h"}},
		{"by a header", "#include \"../b/b.h\"\n", []string{"b/b.h", "#include \"c/c.h\"\n", "b/c/c.h", "#include \"../../d.h\"\n", "d.h", ""}, []string{"b/b.h", "b/c/c.h", "d.h"}},
		{"in a circle", "#include \"../b.h\"\n", []string{"b.h", "#include \"b.h\"\n"}, []string{"b.h"}},
		{"by a header of the package", "", []string{"app/own.h", "#include \"../b.h\"\n", "b.h", ""}, []string{"b.h"}},
		{"by a C source", "", []string{"app/x.c", "#include \"../b.h\"\n", "b.h", ""}, []string{"b.h"}},
		{"missing", "#cgo CFLAGS: -I../inc -I../gen\n#include <a/later.h>\n", []string{"inc/a.h", ""}, []string{"app/a/later.h", "gen/a/later.h", "inc/a/later.h"}},
		{"before another", "#cgo CFLAGS: -I../one -I../none -I../two\n#include <a.h>\n", []string{"one/x.h", "", "two/a.h", ""}, []string{"app/a.h", "one/a.h", "two/a.h"}},
		{"with -include", "#cgo CFLAGS: -include ../b.h\n", []string{"b.h", ""}, []string{"b.h"}},
		{"asked for twice", "#include \"../b.h\"\n#include <c.h>\n#cgo CFLAGS: -I..\n", []string{"b.h", "#include <c.h>\n#include \"c.h\"\n", "c.h", ""}, []string{"app/c.h", "b.h", "c.h"}},
		{"of cgo", "#include \"_cgo_export.h\"\n", nil, nil},
		{"a directory of the system", "#cgo CFLAGS: -I/usr/include -I/usr/local/include\n#include <no/such.h>\n", nil, []string{"app/no/such.h"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			files := append([]string{"go.mod", goMod, "app/main.go", source(tt.c)}, tt.files...)
			tr := newTree(t, files...)
			tr.env = append(tr.env, "CGO_ENABLED=1")
			g := tr.good(".", "./app")
			if tt.want == nil {
				if len(g.Cgo) > 0 {
					t.Errorf("got %+v", g.Cgo)
				}
				return
			}
			_, got, _ := tr.cgoOf(g)
			tr.check("includes", got, tt.want...)
		})
	}
}

// TestPkgConfig: it is not asked, and that is known.
func TestPkgConfig(t *testing.T) {
	tr := newTree(t, "go.mod", goMod, "main.go", source("#cgo pkg-config: no-such\n"))
	tr.env = append(tr.env, "CGO_ENABLED=1")
	if of, includes, libraries := tr.cgoOf(tr.good(".", ".")); !of.PkgConfig || len(includes)+len(libraries) > 0 {
		t.Errorf("got %+v", of)
	}
}

func TestManyIncludes(t *testing.T) {
	files := []string{"go.mod", goMod, "main.go", source("#include \"h/0.h\"\n")}
	for i := range maxIncludes + 10 {
		files = append(files, fmt.Sprintf("h/%d.h", i), fmt.Sprintf("#include \"%d.h\"\n", i+1))
	}
	tr := newTree(t, files...)
	tr.env = append(tr.env, "CGO_ENABLED=1")
	if of, got, _ := tr.cgoOf(tr.good(".", ".")); len(got) != maxIncludes || !of.Cut {
		t.Errorf("%d files, want %d and that there are more: %v", len(got), maxIncludes, of.Cut)
	}
}

func TestLibraries(t *testing.T) {
	c := &collector{a: &answer{env: environment{}}}
	for _, tt := range []struct {
		goos  string
		flags []string
		want  []string
	}{
		{"linux", []string{"-L/l", "-lx"}, []string{"/l/libx.a", "/l/libx.so"}},
		{"linux", []string{"-L", "l", "-l", "x"}, []string{"/p/l/libx.a", "/p/l/libx.so"}},
		{"linux", []string{"-lx"}, nil},
		{"linux", []string{"-L/l", "-l:x.so.2"}, []string{"/l/x.so.2"}},
		{"linux", []string{"a.a", "../b.o", "/c/c.so", "/c/d.so.1", "-Wl,--as-needed", "x", "-Wl,--whole-archive,/e/e.a", "-Wl,-rpath,/e"}, []string{"/b.o", "/c/c.so", "/c/d.so.1", "/e/e.a", "/p/a.a"}},
		{"linux", []string{"-L/usr/lib/x86_64-linux-gnu", "-lz", "/lib/libc.a"}, nil},
		{"linux", []string{"-L/usr/src/app", "-lz"}, []string{"/usr/src/app/libz.a", "/usr/src/app/libz.so"}},
		{"darwin", []string{"-L/l", "-lx", "-framework", "CoreFoundation"}, []string{"/l/libx.a", "/l/libx.dylib", "/l/libx.tbd"}},
	} {
		c.a.env["GOOS"] = tt.goos
		if got := c.libraries("/p", tt.flags); !slices.Equal(got, tt.want) {
			t.Errorf("%s %q: got %q, want %q", tt.goos, tt.flags, got, tt.want)
		}
	}
}

// TestCgoPackage: of a replaced module, with flags of the environment, and nothing without cgo.
func TestCgoPackage(t *testing.T) {
	tr := newTree(t, "app/go.mod", goMod+"\nrequire example.com/lib v1.0.0\n\nreplace example.com/lib => ../lib\n",
		"app/main.go", "package main\n\nimport _ \"example.com/lib/c\"\n\nfunc main() {}\n", "lib/go.mod", "module example.com/lib\n\ngo 1.25\n",
		"lib/c/c.go", "package c\n\n// #cgo CFLAGS: -I${SRCDIR}/../inc\n// #cgo LDFLAGS: -L${SRCDIR} -lown\n// #include <a.h>\nimport \"C\"\n",
		"lib/c/go.go", "package c\n", "lib/inc/a.h", "#include <b.h>\n", "env/b.h", "")
	tr.env = append(tr.env, "CGO_ENABLED=1", "CGO_CFLAGS=-g -I"+filepath.Join(tr.dir, "env"), "GOOS=linux")
	of, includes, libraries := tr.cgoOf(tr.good("app", "."))
	tr.check("includes", includes, "env/a.h", "env/b.h", "lib/c/a.h", "lib/c/b.h", "lib/inc/a.h")
	tr.check("libraries", libraries, "lib/c/libown.a", "lib/c/libown.so")
	if of.Cut || of.PkgConfig || of.Package != "example.com/lib/c" || of.Dir != filepath.Join(tr.dir, "lib/c") || of.Workspace {
		t.Errorf("package %+v", of)
	}
	tr.env = append(tr.env, "CGO_ENABLED=0")
	g := tr.good("app", ".")
	if len(g.Cgo) > 0 || g.Files[filepath.Join(tr.dir, "lib/inc/a.h")] != 0 {
		t.Errorf("without cgo: %+v", g.Cgo)
	}
}

// TestAssembly: the go command does not look at what Go's assembler includes either.
func TestAssembly(t *testing.T) {
	tr := newTree(t, "go.mod", goMod, "main.go", hello, "app/own.h", "#include \"../../outside.h\"\n",
		"app/main.go", hello, "app/a.s", "#include \"textflag.h\"\n#include \"go_asm.h\"\n#include \"own.h\"\n#include \"../macros.h\"\n", "macros.h", "")
	if g := tr.good(".", "."); len(g.Cgo) > 0 {
		t.Errorf("without C and assembly: %+v", g.Cgo)
	}
	_, got, _ := tr.cgoOf(tr.good(".", "./app"))
	tr.check("includes", got, "../outside.h", "macros.h")
}

func TestIncludeOf(t *testing.T) {
	for line, want := range map[string]included{
		`#include "a.h"`:               {"a.h", true},
		"#include <a/b.h>\r\n":         {"a/b.h", false},
		"\t#  include\t\"a b.h\" // x": {"a b.h", true},
		"#include<a>":                  {"a", false},
		"#import \"a.h\"":              {"a.h", true},
		"#include_next <a.h>":          {"a.h", false},
		"#include MACRO":               {},
		"#include":                     {},
		"#include \"":                  {},
		"#include \"a":                 {},
		"#include <>":                  {},
		"#includes \"a.h\"":            {},
		"// #include \"a.h\"":          {},
		"#":                            {},
		"":                             {},
	} {
		if got, ok := includeOf([]byte(line)); got != want && ok || ok != (want.name != "") {
			t.Errorf("%q: %+v, %v", line, got, ok)
		}
	}
}
