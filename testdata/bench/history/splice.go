package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"os"
)

// source is a Go file that parses.
type source struct {
	name string
	text string
	fset *token.FileSet
	file *ast.File
}

func readSource(name string) (source, bool) {
	text, err := os.ReadFile(name)
	if err != nil {
		return source{}, false
	}
	s := source{name: name, text: string(text), fset: token.NewFileSet()}
	s.file, err = parser.ParseFile(s.fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	return s, err == nil
}

// splice has other text in the place of what is between two positions.
func (s source) splice(from, to token.Pos, text string) edit {
	return s.to(s.text[:s.offset(from)] + text + s.text[s.offset(to):])
}

func (s source) offset(p token.Pos) int { return s.fset.File(s.file.FileStart).Offset(p) }

func (s source) insert(at token.Pos, text string) edit { return s.splice(at, at, text) }

func (s source) append(text string) edit { return s.to(s.text + text) }

func (s source) to(text string) edit { return edit{files: map[string]string{s.name: text}} }

// one returns one of all, or false when there is none.
func one[T any](r *rand.Rand, all []T) (it T, ok bool) {
	if len(all) == 0 {
		return it, false
	}
	return all[r.IntN(len(all))], true
}

// functions returns those with a body that are as asked for.
func (s source) functions(as func(*ast.FuncDecl) bool) []*ast.FuncDecl {
	var all []*ast.FuncDecl
	for _, d := range s.file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil && as(f) {
			all = append(all, f)
		}
	}
	return all
}

// literals returns those of a kind in the bodies of functions.
func (s source) literals(kind token.Token) []*ast.BasicLit {
	var all []*ast.BasicLit
	for _, f := range s.functions(func(*ast.FuncDecl) bool { return true }) {
		ast.Inspect(f.Body, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ArrayType, *ast.StructType, *ast.CaseClause:
				return false // a length, a tag; and what would be there twice
			case *ast.BasicLit:
				if n.Kind == kind {
					all = append(all, n)
				}
			}
			return true
		})
	}
	return all
}

// values returns the literals that constants or variables of the package are given.
func (s source) values(tok token.Token, exported bool) []*ast.BasicLit {
	var all []*ast.BasicLit
	for _, d := range s.file.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != tok {
			continue
		}
		for _, spec := range g.Specs {
			v := spec.(*ast.ValueSpec)
			for i, value := range v.Values {
				if lit, ok := value.(*ast.BasicLit); ok && i < len(v.Names) && v.Names[i].IsExported() == exported {
					all = append(all, lit)
				}
			}
		}
	}
	return all
}

// structs returns the types of the package that are structs.
func (s source) structs() []*ast.TypeSpec {
	var all []*ast.TypeSpec
	for _, d := range s.file.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.TYPE {
			continue
		}
		for _, spec := range g.Specs {
			t := spec.(*ast.TypeSpec)
			if _, ok := t.Type.(*ast.StructType); ok && t.TypeParams == nil && !t.Assign.IsValid() {
				all = append(all, t)
			}
		}
	}
	return all
}
