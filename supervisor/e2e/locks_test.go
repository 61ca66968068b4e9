package e2e_test

import (
	"fmt"
	"go/ast"
	"regexp"
	"slices"
	"strings"
)

// maxLocked bounds the functions that may touch what a lock guards: the methods of a
// struct that has one, and what takes the struct as a parameter. More of them nobody
// can hold in his head.
const maxLocked = 30

// bounded are held to maxLocked without a lock of their own: their parts have it.
var bounded = []string{"dbguard/guard.Guard"}

// locks keeps each lock to the methods of the struct that has it: they alone take it,
// by their receiver. So a struct that says another's lock guards it is refused, and
// one that embeds its lock, which anybody could take.
func locks(f goFile) (problems []string) {
	if f.test {
		return nil
	}
	owners := lockFields(f.siblings)
	for _, decl := range f.ast.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok && fn.Body != nil {
			problems = append(problems, locked(f, fn, owners)...)
		}
	}
	for name, s := range structs(f) {
		problems = append(problems, borrowed(f, name, s)...)
		if len(owners[name]) == 0 && !slices.Contains(bounded, f.pkg+"."+name) {
			continue
		}
		if n := touching(f.siblings, name); n > maxLocked {
			problems = append(problems, fmt.Sprintf("%s: %d functions have a %s, the limit is %d: give its parts a struct each", f.at(s), n, name, maxLocked))
		}
	}
	return problems
}

// locked finds locks that fn takes, or gives back, of another struct than its receiver.
func locked(f goFile, fn *ast.FuncDecl, owners map[string][]string) (problems []string) {
	receiver, owner := receiverOf(fn)
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) > 0 {
			return true
		}
		method, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || !slices.Contains([]string{"Lock", "Unlock", "TryLock", "RLock", "RUnlock", "TryRLock"}, method.Sel.Name) {
			return true
		}
		field, ok := method.X.(*ast.SelectorExpr)
		if !ok || !hasField(owners, field.Sel.Name) {
			return true // a variable, or another package's
		}
		if x, ok := field.X.(*ast.Ident); !ok || x.Name != receiver || !slices.Contains(owners[owner], field.Sel.Name) {
			problems = append(problems, f.at(call)+": only methods of the struct that has the lock "+field.Sel.Name+" take it, by their receiver")
		}
		return true
	})
	return problems
}

// borrowedLock is a comment that names the lock of some other struct.
var borrowedLock = regexp.MustCompile(`\b[A-Za-z]\w*\.\w*[mM]u\b`)

// borrowed finds what a struct says of its lock that is not its own field.
func borrowed(f goFile, name string, s *ast.StructType) (problems []string) {
	for _, field := range s.Fields.List {
		if len(field.Names) == 0 && isLock(field.Type) {
			problems = append(problems, f.at(field)+": "+name+" embeds its lock, which anybody could take: give it a name")
		}
	}
	for _, comment := range f.ast.Comments {
		about := comment.End() > s.Pos() && comment.Pos() < s.End() || f.line(comment.End())+1 == f.line(s.Pos())
		if about && borrowedLock.MatchString(comment.Text()) {
			problems = append(problems, f.at(comment)+": another's lock guards "+name+": its owner should have the state too")
		}
	}
	return problems
}

// lockFields returns the fields of each struct that are locks.
func lockFields(files []goFile) map[string][]string {
	found := map[string][]string{}
	for _, f := range files {
		for name, s := range structs(f) {
			for _, field := range s.Fields.List {
				for _, id := range field.Names {
					if isLock(field.Type) {
						found[name] = append(found[name], id.Name)
					}
				}
			}
		}
	}
	return found
}

func hasField(owners map[string][]string, name string) bool {
	for _, fields := range owners {
		if slices.Contains(fields, name) {
			return true
		}
	}
	return false
}

// structs returns the struct types that a file declares.
func structs(f goFile) map[string]*ast.StructType {
	found := map[string]*ast.StructType{}
	for _, decl := range f.ast.Decls {
		all, ok := decl.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range all.Specs {
			if t, ok := spec.(*ast.TypeSpec); ok {
				if s, ok := t.Type.(*ast.StructType); ok {
					found[t.Name.Name] = s
				}
			}
		}
	}
	return found
}

// touching counts the functions that have a name as receiver or parameter, tests apart.
func touching(files []goFile, name string) (n int) {
	for _, f := range files {
		for _, decl := range f.ast.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || f.test {
				continue
			}
			_, receiver := receiverOf(fn)
			parameter := slices.ContainsFunc(fn.Type.Params.List, func(p *ast.Field) bool { return typeName(p.Type) == name })
			if receiver == name || parameter {
				n++
			}
		}
	}
	return n
}

// receiverOf returns the name and the type of a method's receiver, "" for a function.
func receiverOf(fn *ast.FuncDecl) (name, typ string) {
	if fn.Recv == nil {
		return "", ""
	}
	one := fn.Recv.List[0]
	if len(one.Names) > 0 {
		name = one.Names[0].Name
	}
	return name, typeName(one.Type)
}

// typeName returns the name of a type of the package, or of what it points to.
func typeName(e ast.Expr) string {
	if star, ok := e.(*ast.StarExpr); ok {
		e = star.X
	}
	if index, ok := e.(*ast.IndexExpr); ok {
		e = index.X
	}
	if id, ok := e.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

// isLock reports whether a type is a lock, or points to one.
func isLock(e ast.Expr) bool {
	if star, ok := e.(*ast.StarExpr); ok {
		e = star.X
	}
	return strings.HasPrefix(selector(e), "sync.") && strings.HasSuffix(selector(e), "Mutex")
}
