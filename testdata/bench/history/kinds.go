package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
)

// kind is one way to edit.
type kind struct {
	name   string
	often  int  // how often, beside the others
	single bool // one Go file that is compiled, whose imports stay
	make   func(*module, *rand.Rand) (edit, bool)
}

// kinds are the edits that are made. Where one has no place in the file that was drawn, another is drawn.
var kinds = []kind{
	{"a number in a body", 4, true, inFile(numberInBody)},
	{"a string in a body", 4, true, inFile(stringInBody)},
	{"a statement in a body", 4, true, inFile(statement(large))},
	{"a statement in a small body", 3, true, inFile(statement(small))},
	{"a statement in a generic body", 3, true, inFile(statement(generic))},
	{"an exported constant", 2, true, inFile(value(token.CONST, true))},
	{"a constant", 1, true, inFile(value(token.CONST, false))},
	{"a variable", 1, true, inFile(value(token.VAR, false))},
	{"an exported variable", 1, true, inFile(value(token.VAR, true))},
	{"a field of a type", 2, true, inFile(field)},
	{"a method", 1, true, inFile(method)},
	{"a signature", 2, true, inFile(signature)},
	{"a function", 1, true, inFile(function)},
	{"an init function", 1, true, inFile(initFunction)},
	{"a comment", 2, true, inFile(comment)},
	{"lines shift", 3, true, inFile(shift)},
	{"a directive of the compiler", 2, true, inFile(directive("//go:noinline", "//go:norace", "//go:nosplit"))},
	{"a directive of another tool", 1, true, inFile(directive("//nolint:all", "//go:generate true"))},
	{"a //line directive", 1, true, inFile(lineDirective)},
	{"a number, size and time stay", 2, true, sameStamp},
	{"a build constraint", 1, true, inFile(constrain)},
	{"an import of what is linked", 2, false, inFile(importLinked)},
	{"an import of what is not", 1, false, inFile(importNew)},
	{"an embedded file", 1, false, embedded},
	{"a body and an embedded file", 1, false, bodyAndEmbedded},
	{"two files", 2, false, twoFiles},
	{"a file comes", 1, false, fileComes},
	{"a file goes", 1, false, fileGoes},
	{"go.mod", 1, false, goMod},
	{"a file as it was", 6, false, (*module).back},
}

// inFile makes an edit of any file.
func inFile(change func(*module, source, *rand.Rand) (edit, bool)) func(*module, *rand.Rand) (edit, bool) {
	return func(m *module, r *rand.Rand) (edit, bool) {
		s, ok := m.source(r)
		if !ok {
			return edit{}, false
		}
		return change(m, s, r)
	}
}

func numberInBody(_ *module, s source, r *rand.Rand) (edit, bool) {
	lit, ok := one(r, s.literals(token.INT))
	if !ok {
		return edit{}, false
	}
	return s.splice(lit.End()-1, lit.End(), otherDigit(lit.Value, r)), true
}

// otherDigit is another last digit of a number.
func otherDigit(number string, r *rand.Rand) string {
	digit := number[len(number)-1]
	if digit < '0' || digit > '7' {
		return "5"
	}
	return string('0' + (digit-'0'+1+byte(r.IntN(6)))%8) // 8 and 9 are none of an octal number
}

func stringInBody(_ *module, s source, r *rand.Rand) (edit, bool) {
	lit, ok := one(r, s.literals(token.STRING))
	if !ok {
		return edit{}, false
	}
	return s.insert(lit.End()-1, " "+strconv.Itoa(r.IntN(1000))), true
}

// small reports whether the compiler may inline a function.
func small(f *ast.FuncDecl) bool { return !generic(f) && len(f.Body.List) <= 1 }

func large(f *ast.FuncDecl) bool { return !generic(f) && len(f.Body.List) > 3 }

func generic(f *ast.FuncDecl) bool {
	if f.Type.TypeParams != nil {
		return true
	}
	if f.Recv == nil || len(f.Recv.List) == 0 {
		return false
	}
	found := false
	ast.Inspect(f.Recv.List[0].Type, func(n ast.Node) bool {
		switch n.(type) {
		case *ast.IndexExpr, *ast.IndexListExpr:
			found = true
		}
		return true
	})
	return found
}

// statement has a function do more, on a line of its own or not.
func statement(as func(*ast.FuncDecl) bool) func(*module, source, *rand.Rand) (edit, bool) {
	return func(_ *module, s source, r *rand.Rand) (edit, bool) {
		f, ok := one(r, s.functions(as))
		if !ok {
			return edit{}, false
		}
		end := []string{"; ", "\n"}[r.IntN(2)]
		return s.insert(f.Body.Lbrace+1, fmt.Sprintf(" println(%d)%s", r.IntN(1000), end)), true
	}
}

func value(tok token.Token, exported bool) func(*module, source, *rand.Rand) (edit, bool) {
	return func(_ *module, s source, r *rand.Rand) (edit, bool) {
		lit, ok := one(r, s.values(tok, exported))
		switch {
		case ok && lit.Kind == token.INT:
			return s.splice(lit.End()-1, lit.End(), otherDigit(lit.Value, r)), true
		case ok && lit.Kind == token.STRING:
			return s.insert(lit.End()-1, strconv.Itoa(r.IntN(1000))), true
		}
		return edit{}, false
	}
}

func field(m *module, s source, r *rand.Rand) (edit, bool) {
	t, ok := one(r, s.structs())
	if !ok {
		return edit{}, false
	}
	return s.insert(t.Type.(*ast.StructType).Fields.Closing, "\n"+m.fresh()+" int\n"), true
}

func method(m *module, s source, r *rand.Rand) (edit, bool) {
	t, ok := one(r, s.structs())
	if !ok {
		return edit{}, false
	}
	return s.append(fmt.Sprintf("\nfunc (%s) %s() int { return %d }\n", t.Name.Name, m.fresh(), r.IntN(1000))), true
}

// signature gives a function one more parameter, which its callers need not know.
func signature(_ *module, s source, r *rand.Rand) (edit, bool) {
	f, ok := one(r, s.functions(func(f *ast.FuncDecl) bool {
		params := f.Type.Params.List
		if f.Recv == nil && (f.Name.Name == "main" || f.Name.Name == "init") {
			return false
		}
		if len(params) == 0 {
			return true
		}
		_, variadic := params[len(params)-1].Type.(*ast.Ellipsis)
		return !variadic && len(params[0].Names) > 0
	}))
	if !ok {
		return edit{}, false
	}
	comma := ""
	if len(f.Type.Params.List) > 0 {
		comma = ", "
		if s.text[s.offset(f.Type.Params.Closing)-1] == '\n' {
			comma = "" // the last one has it
		}
	}
	return s.insert(f.Type.Params.Closing, comma+"_ ...int"), true
}

func function(m *module, s source, r *rand.Rand) (edit, bool) {
	return s.append(fmt.Sprintf("\n// %[1]s is new.\nfunc %[1]s[T any](x T) (T, int) { return x, %[2]d }\n", m.fresh(), r.IntN(1000))), true
}

func initFunction(_ *module, s source, r *rand.Rand) (edit, bool) {
	return s.append(fmt.Sprintf("\nfunc init() { println(%d) }\n", r.IntN(1000))), true
}

// comment has other words in a comment, on as many lines.
func comment(_ *module, s source, r *rand.Rand) (edit, bool) {
	var all []*ast.Comment
	for _, group := range s.file.Comments {
		for _, c := range group.List {
			if strings.HasPrefix(c.Text, "// ") && !strings.Contains(c.Text, "+build") {
				all = append(all, c)
			}
		}
	}
	c, ok := one(r, all)
	if !ok {
		return edit{}, false
	}
	return s.insert(c.End(), fmt.Sprint(" And ", r.IntN(1000), ".")), true
}

func shift(_ *module, s source, r *rand.Rand) (edit, bool) {
	at, ok := one(r, s.starts())
	if !ok {
		return edit{}, false
	}
	return s.insert(at, strings.Repeat("// More.\n", 1+r.IntN(3))+"\n"), true
}

// starts are where the declarations begin that are no imports, with their comments.
func (s source) starts() []token.Pos {
	var all []token.Pos
	for _, d := range s.file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			all = append(all, start(d, d.Doc))
		case *ast.GenDecl:
			if d.Tok != token.IMPORT {
				all = append(all, start(d, d.Doc))
			}
		}
	}
	return all
}

func start(d ast.Node, doc *ast.CommentGroup) token.Pos {
	if doc != nil {
		return doc.Pos()
	}
	return d.Pos()
}

// directive gives a function one of these directives, or takes it from the function.
func directive(names ...string) func(*module, source, *rand.Rand) (edit, bool) {
	return func(_ *module, s source, r *rand.Rand) (edit, bool) {
		f, ok := one(r, s.functions(func(*ast.FuncDecl) bool { return true }))
		if !ok {
			return edit{}, false
		}
		name := names[r.IntN(len(names))]
		if f.Doc != nil {
			for _, c := range f.Doc.List {
				if c.Text == name {
					return s.splice(c.Pos(), c.End()+1, ""), true
				}
			}
		}
		return s.insert(f.Pos(), name+"\n"), true
	}
}

func lineDirective(_ *module, s source, r *rand.Rand) (edit, bool) {
	at, ok := one(r, s.starts())
	if !ok {
		return edit{}, false
	}
	return s.insert(at, fmt.Sprintf("//line edited.go:%d\n", 1+r.IntN(1000))), true
}

func sameStamp(m *module, r *rand.Rand) (edit, bool) {
	e, ok := inFile(numberInBody)(m, r)
	e.keep = true
	return e, ok
}

// constrain gives a file a constraint that is met.
func constrain(_ *module, s source, _ *rand.Rand) (edit, bool) {
	if strings.Contains(s.text, "//go:build") {
		return edit{}, false
	}
	return s.to("//go:build !edited\n\n" + s.text), true
}

func importLinked(m *module, s source, r *rand.Rand) (edit, bool) {
	return s.insert(s.file.Name.End(), fmt.Sprintf("\n\nimport _ %q\n", m.importable(r))), true
}

func importNew(_ *module, s source, r *rand.Rand) (edit, bool) {
	path, _ := one(r, []string{"archive/tar", "container/ring", "debug/plan9obj", "index/suffixarray", "go/doc/comment", "text/scanner", "testing/iotest"})
	return s.insert(s.file.Name.End(), fmt.Sprintf("\n\nimport _ %q\n", path)), true
}

func embedded(m *module, r *rand.Rand) (edit, bool) {
	name, ok := m.embedded(r)
	if !ok {
		return edit{}, false
	}
	text, err := m.read(name)
	return edit{files: map[string]string{name: text + strings.Repeat("\n", 1+r.IntN(9))}}, err == nil
}

func bodyAndEmbedded(m *module, r *rand.Rand) (edit, bool) {
	return both(m, r, embedded, inFile(stringInBody))
}

func twoFiles(m *module, r *rand.Rand) (edit, bool) {
	return both(m, r, inFile(statement(large)), inFile(value(token.CONST, true)))
}

// both makes two edits at once, when they are of different files.
func both(m *module, r *rand.Rand, a, b func(*module, *rand.Rand) (edit, bool)) (edit, bool) {
	first, ok := a(m, r)
	second, also := b(m, r)
	if !ok || !also {
		return edit{}, false
	}
	for name, text := range second.files {
		if _, twice := first.files[name]; twice {
			return edit{}, false
		}
		first.files[name] = text
	}
	return first, true
}

func fileComes(m *module, r *rand.Rand) (edit, bool) {
	p, name := m.pick(r)
	file := filepath.Join(filepath.Dir(name), strings.ToLower(m.fresh())+".go")
	return edit{files: map[string]string{file: fmt.Sprintf("package %s\n\nconst %s = 1\n", p.Name, m.fresh())}}, true
}

func fileGoes(m *module, r *rand.Rand) (edit, bool) {
	_, name := m.pick(r)
	return edit{files: map[string]string{name: gone}}, true
}

func goMod(m *module, r *rand.Rand) (edit, bool) {
	name := filepath.Join(m.dir, "go.mod")
	text, err := m.read(name)
	return edit{files: map[string]string{name: text + fmt.Sprintf("\n// %d\n", r.IntN(1000))}}, err == nil
}
