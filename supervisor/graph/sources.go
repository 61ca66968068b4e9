package graph

import (
	"go/ast"
	"go/build"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/devguard/devguard/supervisor/goflags"
	"github.com/devguard/devguard/supervisor/linkcost"
)

// Sources reads the headers of the Go files of some packages of the program, tens of microseconds each.
// A file of the user's is named by its absolute path, one of others by import path and name. A file
// that does not parse is left out, and one that something else than its constraint keeps out of the
// build: its name, or the lack of cgo.
func (l *Linked) Sources(packages []string) linkcost.Sources {
	ctxt := buildContext(l.env, goflags.Effective(l.env["GOFLAGS"], l.asker.req.Flags))
	s := linkcost.Sources{Files: map[string][]linkcost.Source{}, Tags: map[string]linkcost.Tag{}}
	for _, path := range packages {
		p := l.packages[path]
		if p.Standard {
			continue // its constraints are of platforms and of versions of Go
		}
		for _, name := range slices.Concat(p.GoFiles, p.CgoFiles) {
			if source, ok := p.source(name); ok {
				tags(ctxt, source.Constraint, s.Tags)
				s.Files[path] = append(s.Files[path], source)
			}
		}
		for _, name := range p.IgnoredGoFiles {
			if !fits(ctxt, name) {
				continue
			}
			source, ok := p.source(name)
			tags(ctxt, source.Constraint, s.Tags)
			if ok && !source.In(s.Tags) {
				s.Files[path] = append(s.Files[path], source)
			}
		}
	}
	return s
}

// fits reports whether a file's name does not keep it out of the build.
func fits(ctxt build.Context, name string) bool {
	ok, err := reading(ctxt, "package p\n").MatchFile("", name)
	return ok && err == nil && !strings.HasSuffix(name, "_test.go")
}

// source reads the header of a file.
func (p linked) source(name string) (linkcost.Source, bool) {
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return linkcost.Source{}, false
	}
	shown := p.ImportPath + "/" + name
	if p.own() {
		shown = filepath.Join(p.Dir, name)
	}
	return linkcost.Source{Name: shown, Constraint: constraintOf(file), Imports: importsOf(file)}, true
}

// constraintOf is the build constraint of a file, nil if there is none: its //go:build line, else all
// its +build lines.
func constraintOf(file *ast.File) (all constraint.Expr) {
	for _, group := range file.Comments {
		for _, c := range group.List {
			if c.Pos() > file.Package || !isConstraint(c.Text) {
				continue
			}
			x, err := constraint.Parse(c.Text)
			switch {
			case err != nil:
			case constraint.IsGoBuild(c.Text):
				return x
			case all == nil:
				all = x
			default:
				all = &constraint.AndExpr{X: all, Y: x}
			}
		}
	}
	return all
}

func importsOf(file *ast.File) (paths []string) {
	for _, spec := range file.Imports {
		if path, err := strconv.Unquote(spec.Path.Value); err == nil {
			paths = append(paths, path)
		}
	}
	return paths
}

// tags adds what the tags of a constraint are.
func tags(ctxt build.Context, x constraint.Expr, to map[string]linkcost.Tag) {
	if x == nil {
		return
	}
	x.Eval(func(tag string) bool { // it asks for every tag, whatever the answers
		if _, known := to[tag]; !known {
			to[tag] = tagOf(ctxt, tag)
		}
		return false
	})
}

// foreign are tags of other compilers, of platforms that go/build does not know, and of flags and
// settings of their own; and ignore, by which a file is kept out of every build.
var foreign = []string{"appengine", "appenginevm", "asan", "boringcrypto", "cgo", "gc", "gccgo", "gopherjs", "ignore", "msan", "purego", "race", "tamago",
	"tinygo", "unix"}

// tagOf says what a tag is. go/build knows what holds, and which tags are of operating systems and
// architectures: as the end of a file's name they keep it out of the build.
func tagOf(ctxt build.Context, tag string) linkcost.Tag {
	if holds, err := reading(ctxt, "//go:build "+tag+"\n\npackage p\n").MatchFile("", "p.go"); holds && err == nil {
		return linkcost.Set
	}
	first, _, dotted := strings.Cut(tag, ".")
	switch {
	case slices.Contains(foreign, tag):
	case dotted && (first == "go1" || first == "goexperiment" || tagOf(ctxt, first) != linkcost.Free): // amd64.v3
	case !strings.Contains(tag, "_") && !fits(ctxt, "p_"+tag+".go"): // windows
	default:
		return linkcost.Free
	}
	return linkcost.Fixed
}
