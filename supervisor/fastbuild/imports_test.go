package fastbuild

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// importsPlan is of a module with an own and a foreign internal package, and two modules besides: x is
// what the package a imports, y what x does.
func importsPlan() *Plan {
	p := &Plan{goroot: "/go", byPath: map[string]*Package{}, inputs: map[input]seen{{"/m/go.mod", content}: {sum: digest{1}}, {"/n/go.mod", content}: {sum: digest{1}}}}
	add := func(path, dir string, local bool, imports ...string) {
		pkg := &Package{Path: path, Dir: dir, Local: local, Imports: imports}
		if local {
			file := dir + "/a.go"
			pkg.Files = []string{file}
			p.inputs[input{file, goSource}] = seen{shape: importsOnly(imports)}
		}
		p.packages, p.byPath[path] = append(p.packages, pkg), pkg
	}
	add("runtime", "/go/src/runtime", false)
	add("internal/bytealg", "/go/src/internal/bytealg", false)
	add("strings", "/go/src/strings", false, "runtime", "internal/bytealg")
	add("vendor/golang.org/x/net", "/go/src/vendor/golang.org/x/net", false)
	add("net", "/go/src/net", false, "strings", "vendor/golang.org/x/net")
	add("y.org/y", "/mod/y.org/y@v1.0.0", false)
	add("x.org/x/internal/z", "/mod/x.org/x@v1.0.0/internal/z", false)
	add("x.org/x", "/mod/x.org/x@v1.0.0", false, "y.org/y", "x.org/x/internal/z")
	add("n.org/n", "/n", true)
	add("m.org/m/internal/i", "/m/internal/i", true)
	add("m.org/m/d/internal/j", "/m/d/internal/j", true)
	add("m.org/m/c", "/m/c", true, "m.org/m/internal/i", "strings")
	add("m.org/m/d", "/m/d", true, "m.org/m/d/internal/j")
	add("m.org/m/a", "/m/a", true, "net", "x.org/x", "n.org/n")
	add("m.org/m/b", "/m/b", true, "m.org/m/c", "m.org/m/d")
	add("v.org/v", "/m/vendor/v.org/v", true)
	add("m.org/m", "/m", true, "m.org/m/a", "m.org/m/b", "v.org/v", "runtime")
	return p
}

// importsOnly is the shape of a file that does nothing but import.
func importsOnly(imports []string) Shape {
	text := "package p\n"
	if len(imports) > 0 {
		text += "import (\n_ \"" + strings.Join(imports, "\"\n_ \"") + "\"\n)\n"
	}
	return shapeOf([]byte(text))
}

func TestImporting(t *testing.T) {
	const fast, refused = true, false
	for name, test := range map[string]struct {
		pkg  string
		now  []string // imports of its file
		fast bool
	}{
		"standard library":             {"/m/a", []string{"net", "x.org/x", "n.org/n", "strings"}, fast},
		"what is not linked":           {"/m/a", []string{"net", "x.org/x", "n.org/n", "os"}, refused},
		"unsafe":                       {"/m/a", []string{"net", "x.org/x", "n.org/n", "unsafe"}, fast},
		"cgo":                          {"/m/a", []string{"net", "x.org/x", "n.org/n", "C"}, refused},
		"embed":                        {"/m/a", []string{"net", "x.org/x", "n.org/n", "embed"}, refused},
		"internal of the library":      {"/m/a", []string{"net", "x.org/x", "n.org/n", "internal/bytealg"}, refused},
		"vendored by the library":      {"/m/a", []string{"net", "x.org/x", "n.org/n", "vendor/golang.org/x/net"}, refused},
		"as the library names it":      {"/m/a", []string{"net", "x.org/x", "n.org/n", "golang.org/x/net"}, refused},
		"own":                          {"/m/a", []string{"net", "x.org/x", "n.org/n", "m.org/m/c"}, fast},
		"own, compiled later":          {"/m/c", []string{"m.org/m/internal/i", "strings", "m.org/m/a"}, fast},
		"own internal":                 {"/m/a", []string{"net", "x.org/x", "n.org/n", "m.org/m/internal/i"}, fast},
		"own internal of another":      {"/m/a", []string{"net", "x.org/x", "n.org/n", "m.org/m/d/internal/j"}, refused},
		"cycle":                        {"/m/c", []string{"m.org/m/internal/i", "strings", "m.org/m/b"}, refused},
		"itself":                       {"/m/c", []string{"m.org/m/internal/i", "strings", "m.org/m/c"}, refused},
		"main":                         {"/m/c", []string{"m.org/m/internal/i", "strings", "m.org/m"}, refused},
		"module that another imports":  {"/m/c", []string{"m.org/m/internal/i", "strings", "x.org/x"}, fast},
		"module that no other imports": {"/m/c", []string{"m.org/m/internal/i", "strings", "y.org/y"}, refused},
		"internal of another module":   {"/m/c", []string{"m.org/m/internal/i", "strings", "x.org/x/internal/z"}, refused},
		"workspace module":             {"/m/c", []string{"m.org/m/internal/i", "strings", "n.org/n"}, fast},
		"from a workspace module":      {"/n", []string{"x.org/x"}, refused},
		"library, from a workspace":    {"/n", []string{"strings"}, fast},
		"vendored":                     {"/m/c", []string{"m.org/m/internal/i", "strings", "v.org/v"}, fast},
		"from what is vendored":        {"/m/vendor/v.org/v", []string{"x.org/x"}, refused},
		"gone":                         {"/m/c", []string{"m.org/m/internal/i"}, fast},
		"the last one gone":            {"/m/c", []string{"strings"}, refused},
		"gone, of the linker":          {"/m", []string{"m.org/m/a", "m.org/m/b", "v.org/v"}, refused},
		"module gone":                  {"/m/a", []string{"net", "n.org/n"}, refused},
		"other order":                  {"/m/a", []string{"n.org/n", "x.org/x", "net"}, fast},
	} {
		p := importsPlan()
		e := Edit{Sources: []Source{{test.pkg + "/a.go", importsOnly(test.now)}}}
		steps, why := p.Decide(e)
		if got := why == nil; got != test.fast || why != nil && why.Kind != Imports {
			t.Errorf("%s: %v", name, why)
			continue
		}
		if why == nil {
			checkOrder(t, name, steps.plan, test.pkg, test.now)
		}
		if want := importsPlan(); !slices.EqualFunc(p.packages, want.packages, func(a, b *Package) bool { return slices.Equal(a.Imports, b.Imports) }) {
			t.Errorf("%s: the plan of before is another", name)
		}
	}
}

// checkOrder: what is imported is compiled before, and main is last.
func checkOrder(t *testing.T, name string, p *Plan, dir string, imports []string) {
	t.Helper()
	at := map[string]int{}
	for i, pkg := range p.packages {
		at[pkg.Path] = i
		if pkg.Dir == dir {
			got, want := slices.Sorted(slices.Values(pkg.Imports)), slices.Sorted(slices.Values(imports))
			want = slices.DeleteFunc(want, func(path string) bool { return path == "unsafe" })
			if !slices.Equal(got, want) {
				t.Errorf("%s: it imports %v", name, got)
			}
		}
		for _, path := range pkg.Imports {
			if _, before := at[path]; !before {
				t.Errorf("%s: %s is not before %s", name, path, pkg.Path)
			}
		}
	}
	if len(p.packages) != len(importsPlan().packages) || p.main().Path != "m.org/m" {
		t.Errorf("%s: linked are %d packages for %s", name, len(p.packages), p.main().Path)
	}
}

// TestImportsOfTwoFiles: what one file imports no more another may import now, and two packages prove
// nothing about each other.
func TestImportsOfTwoFiles(t *testing.T) {
	source := func(dir string, imports ...string) Source {
		return Source{filepath.Join(dir, "a.go"), importsOnly(imports)}
	}
	for name, test := range map[string]struct {
		sources []Source
		want    string // in the refusal
	}{
		"moved":       {[]Source{source("/m/c", "strings"), source("/m/d", "m.org/m/d/internal/j", "m.org/m/internal/i")}, ""},
		"both":        {[]Source{source("/m/c", "m.org/m/internal/i", "strings", "y.org/y"), source("/m/d", "m.org/m/d/internal/j", "y.org/y")}, "/m/c/a.go"},
		"module over": {[]Source{source("/m/a", "net", "n.org/n"), source("/m/c", "m.org/m/internal/i", "strings", "x.org/x")}, "/m/a/a.go"},
	} {
		steps, why := importsPlan().Decide(Edit{Sources: test.sources})
		switch {
		case test.want == "" && (why != nil || len(steps.Compile) != 2):
			t.Errorf("%s: %v", name, why)
		case test.want != "" && (why == nil || !strings.Contains(why.Error(), test.want)):
			t.Errorf("%s: %v", name, why)
		}
	}
}
