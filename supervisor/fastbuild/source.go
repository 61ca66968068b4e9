package fastbuild

import (
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
)

// Shape is what the go command reads of one Go file, and what only the go command may judge. Two files
// of one shape in the same package differ in what the compiler alone looks at.
type Shape struct {
	Parses     bool // package clause, imports and constraint
	Package    string
	Imports    []string // paths, sorted; with "embed" and "C"
	Directives []string // comments that the go command may read, in their order
	Header     []string // what decides which constraints count; nil without one
}

// shapeOf reads one file.
func shapeOf(src []byte) Shape {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "", src, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return Shape{}
	}
	s := Shape{Parses: true, Package: file.Name.Name, Imports: importsOf(file)}
	s.Directives, s.Parses = directives(src)
	s.Header = headerOf(string(src[:fset.Position(file.Package).Offset]))
	s.Parses = s.Parses && constrained(file)
	return s
}

// constrained reports whether the go command can read the //go:build line, of which it takes one, before the
// package clause.
func constrained(file *ast.File) bool {
	lines := 0
	for _, group := range file.Comments {
		for _, c := range group.List {
			if c.Pos() > file.Package || !constraint.IsGoBuild(c.Text) {
				continue
			}
			if _, err := constraint.Parse(c.Text); err != nil {
				return false
			}
			lines++
		}
	}
	return lines <= 1
}

func importsOf(file *ast.File) []string {
	var all []string
	for _, spec := range file.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			path = spec.Path.Value // of no package
		}
		all = append(all, path)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// differs returns what the go command would have to look at, but for imports.
func (s Shape) differs(from Shape) (Kind, bool) {
	switch {
	case !s.Parses:
		return Unparsed, true
	case !from.Parses || s.Package != from.Package:
		return Clause, true
	case !slices.Equal(s.Directives, from.Directives), !slices.Equal(s.Header, from.Header):
		return Directives, true
	}
	return "", false
}

// usesCgo: in a test file the go command does not allow it.
func (s Shape) usesCgo() bool { return slices.Contains(s.Imports, "C") }

// embeds: in other files the go command does not look for //go:embed.
func (s Shape) embeds() bool { return slices.Contains(s.Imports, "embed") }

// testOf reports whether a test file leaves a build of its package as it is.
func (s Shape) testOf(pkg string) bool {
	return s.Parses && !s.usesCgo() && strings.TrimSuffix(s.Package, "_test") == pkg
}
