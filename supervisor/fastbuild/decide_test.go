package fastbuild

import (
	"slices"
	"testing"
)

const plainSource = `//go:build linux

// Package p is commented.
package p

import (
	"fmt"
	_ "embed"
)

//go:noinline
func f() { fmt.Println("//go:build in a string") }
`

func TestDecide(t *testing.T) {
	p := &Plan{
		packages: []*Package{
			{Path: "m/p", Local: true, Files: []string{"/m/p/a.go", "/m/p/b.go"}},
			{Path: "m/text", Local: true, embed: embedding{files: map[string]string{"x": "/m/text/x.html", "y.go": "/m/text/y.go"}}},
			{Path: "m/asm", Local: true, Files: []string{"/m/asm/a.go"}, Blocked: refuse(Assembly, "m/asm")},
			{Path: "cached", Files: []string{"/mod/a.go"}},
		},
		inputs: map[input]seen{
			{"/m/p/a.go", goSource}: {shape: shapeOf([]byte(plainSource))},
			{"/m/p/b.go", goSource}: {shape: shapeOf([]byte("package p\n"))},
		},
	}
	source := func(name, from, to string) Edit {
		changed := replaced(t, plainSource, from, to)
		return Edit{Sources: []Source{{name, shapeOf([]byte(changed))}}}
	}
	for name, test := range map[string]struct {
		edit Edit
		kind Kind // "" for a fast build
	}{
		"body":               {source("/m/p/a.go", "Println", "Print"), ""},
		"comment":            {source("/m/p/a.go", "is commented", "is"), ""},
		"line shift":         {source("/m/p/a.go", "func f()", "\n\nfunc f()"), ""},
		"order of imports":   {source("/m/p/a.go", "\t\"fmt\"\n\t_ \"embed\"", "\t_ \"embed\"\n\t\"fmt\""), ""},
		"name of an import":  {source("/m/p/a.go", "_ \"embed\"", "e \"embed\""), ""},
		"nothing":            {Edit{}, Unchanged},
		"import added":       {source("/m/p/a.go", "\"fmt\"", "\"fmt\"\n\t\"os\""), Imports},
		"import removed":     {source("/m/p/a.go", "\t_ \"embed\"\n", ""), Imports},
		"package clause":     {source("/m/p/a.go", "package p", "package q"), Clause},
		"constraint":         {source("/m/p/a.go", "build linux", "build linux || darwin"), Directives},
		"constraint removed": {source("/m/p/a.go", "//go:build linux", ""), Directives},
		"old constraint":     {source("/m/p/a.go", "// Package p", "// +build linux\n\n// Package p"), Directives},
		"directive added":    {source("/m/p/a.go", "//go:noinline", "//go:noinline\n//go:nosplit"), ""},
		"directive removed":  {source("/m/p/a.go", "//go:noinline\n", ""), ""},
		"debug setting":      {source("/m/p/a.go", "//go:build linux", "//go:build linux\n//go:debug madvdontneed=1"), Directives},
		"embed":              {source("/m/p/a.go", "//go:noinline", "//go:embed x"), Directives},
		"linkname":           {source("/m/p/a.go", "//go:noinline", "//go:linkname f runtime.f"), Directives},
		"line directive":     {source("/m/p/a.go", "//go:noinline", "//line x.go:7"), ""},
		"line in a comment":  {source("/m/p/a.go", "func f", "/*line x.go:7*/ func f"), ""},
		"directive unknown":  {source("/m/p/a.go", "//go:noinline", "//go:noinlines"), Directives},
		"of an import":       {source("/m/p/a.go", "//go:noinline", "//go:wasmimport a b"), Directives},
		"another tool's":     {source("/m/p/a.go", "//go:noinline", "//nolint:all"), ""},
		"generator":          {source("/m/p/a.go", "//go:noinline", "//go:generate stringer"), ""},
		"export":             {source("/m/p/a.go", "//go:noinline", "//export f"), Directives},
		"cgo":                {source("/m/p/a.go", "\"fmt\"", "\"fmt\"\n\t\"C\""), Imports},
		"syntax of imports":  {source("/m/p/a.go", "import (", "import ["), Unparsed},
		"token":              {source("/m/p/a.go", "\"//go:build", "'//go:build"), Unparsed},
		"another package's":  {source("/m/asm/a.go", "", ""), Assembly},
		"module cache":       {source("/mod/a.go", "", ""), NotCompiled},
		"file came":          {Edit{Others: []Difference{{"/m/p", FilesCame}}}, FilesCame},
		"file of nobody":     {Edit{Others: []Difference{{"/m/p/x.html", NotCompiled}}}, NotCompiled},
		"embedded file":      {Edit{Others: []Difference{{"/m/text/x.html", NotCompiled}}}, ""},
		"embedded file gone": {Edit{Others: []Difference{{"/m/text/x.html", FilesCame}}}, FilesCame},
		"embedded Go file":   {Edit{Others: []Difference{{"/m/text/y.go", NotCompiled}}}, NotCompiled},
		"two of those":       {Edit{Others: []Difference{{"/m/text/x.html", NotCompiled}, {"/m/text/y.go", NotCompiled}}}, NotCompiled},
		"source and go.mod":  {Edit{Sources: source("/m/p/a.go", "Println", "Print").Sources, Others: []Difference{{"/m/go.mod", NotCompiled}}}, NotCompiled},
		"other file's shape": {Edit{Sources: []Source{{"/m/p/b.go", shapeOf([]byte(plainSource))}}}, Imports},
	} {
		t.Run(name, func(t *testing.T) {
			steps, refused := p.Decide(test.edit)
			want := "m/p"
			if len(test.edit.Sources) == 0 {
				want = "m/text"
			}
			switch {
			case test.kind == "" && (refused != nil || !steps.Compile[want] || len(steps.Compile) != 1):
				t.Errorf("got %v, %v", steps, refused)
			case test.kind != "" && (refused == nil || refused.Kind != test.kind):
				t.Errorf("got %v, want %s", refused, test.kind)
			}
		})
	}
}

// TestConstraintsThatCount: the same constraints are not the same for the go command wherever they are.
func TestConstraintsThatCount(t *testing.T) {
	for name, test := range map[string]struct {
		from, to string
		differs  bool
	}{
		"a blank line below":    {"// +build ignore\npackage p\n", "// +build ignore\n\npackage p\n", true},
		"above a comment":       {"// +build ignore\n\n/* c */\npackage p\n", "/* c */\n// +build ignore\n\npackage p\n", true},
		"in a comment":          {"/*\n// +build ignore\n*/\n\npackage p\n", "//\n// +build ignore\n//\n\npackage p\n", true},
		"below the clause":      {"// +build ignore\n\npackage p\n", "package p\n\n// +build ignore\n", true},
		"a constraint too many": {"//go:build linux\n\npackage p\n", "//go:build linux\n//go:build linux\n\npackage p\n", true},
		"a setting above":       {"package p\n\n//go:debug x=1\n", "//go:debug x=1\npackage p\n", true},
		"words of the licence":  {"// A.\n\n//go:build linux\n\n// P.\npackage p\n", "// A.\n// B.\n\n\n//go:build linux\n\n// Q.\npackage p\n", false},
		"no constraint":         {"// A.\npackage p\n", "/* A. */\n\n// B.\n\npackage p\n", false},
	} {
		kind, differs := shapeOf([]byte(test.to)).differs(shapeOf([]byte(test.from)))
		if differs != test.differs || differs && kind != Directives && kind != Unparsed {
			t.Errorf("%s: %t, %s", name, differs, kind)
		}
	}
}

func TestImporters(t *testing.T) {
	p := &Plan{packages: []*Package{
		{Path: "a"}, {Path: "b", Imports: []string{"a"}}, {Path: "c"}, {Path: "d", Imports: []string{"c", "b"}}, {Path: "e", Imports: []string{"c"}},
	}}
	var got []string
	for _, pkg := range p.importers(map[string]bool{"a": true}) {
		got = append(got, pkg.Path)
	}
	if !slices.Equal(got, []string{"a", "b", "d"}) {
		t.Errorf("got %v", got)
	}
}
