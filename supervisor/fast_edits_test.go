package supervisor

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// sources is a module that is generated anew after each edit of what it is made of.
type sources struct {
	t    *testing.T
	dir  string
	pkgs []*genPackage
	text int  // in the embedded file
	more bool // a second embedded file is there
	mod  int  // of a comment in go.mod
}

// genPackage is what one package of the module is made of: numbers that an edit changes.
type genPackage struct {
	n       int
	imports []int // packages with lower numbers
	above   int   // a package with a higher one, which is imported for nothing; 0 for none

	body, inline, generic, constant, variable, hot int

	fields int // of its struct type
	wide   bool
	lines  int // comment lines on top
	words  int // in a comment
	method bool

	strings  bool // it imports strings
	second   bool // there is a second file
	excluded bool // that has a build constraint which is not met
	unread   int  // in that file when it is excluded
	noinline bool
	line     bool // a //line directive
	test     int  // in its test file
	broken   bool // a type error
	inits    int
}

const genPackages = 9

func newSources(t *testing.T, r *rand.Rand) *sources {
	s := &sources{t: t, dir: t.TempDir()}
	for n := range genPackages {
		p := &genPackage{n: n, fields: 1}
		for i := range n {
			if n == genPackages-1 || r.IntN(3) == 0 {
				p.imports = append(p.imports, i)
			}
		}
		s.pkgs = append(s.pkgs, p)
	}
	s.write(nil)
	return s
}

// edits change one package, or the module; the names are those of the figures in the log.
var edits = map[string]func(*sources, *genPackage, int){
	"body":              func(_ *sources, p *genPackage, n int) { p.body = n },
	"inlined body":      func(_ *sources, p *genPackage, n int) { p.inline = n },
	"hot body":          func(_ *sources, p *genPackage, n int) { p.hot = n },
	"generic body":      func(_ *sources, p *genPackage, n int) { p.generic = n },
	"constant":          func(_ *sources, p *genPackage, n int) { p.constant = n },
	"variable":          func(_ *sources, p *genPackage, n int) { p.variable = n },
	"type":              func(_ *sources, p *genPackage, n int) { p.fields = 1 + n%4 },
	"signature":         func(_ *sources, p *genPackage, n int) { p.wide = !p.wide },
	"method":            func(_ *sources, p *genPackage, n int) { p.method = !p.method },
	"line shift":        func(_ *sources, p *genPackage, n int) { p.lines = n % 5 },
	"comment":           func(_ *sources, p *genPackage, n int) { p.words = n },
	"init":              func(_ *sources, p *genPackage, n int) { p.inits = n % 3 },
	"import":            func(_ *sources, p *genPackage, n int) { p.strings = !p.strings },
	"import below":      func(s *sources, p *genPackage, n int) { s.importBelow(p, n) },
	"import above":      func(s *sources, p *genPackage, n int) { s.importAbove(p, n) },
	"file":              func(_ *sources, p *genPackage, n int) { p.second = !p.second },
	"constraint":        func(_ *sources, p *genPackage, n int) { p.second, p.excluded = true, !p.excluded },
	"noinline":          func(_ *sources, p *genPackage, n int) { p.noinline = !p.noinline },
	"line":              func(_ *sources, p *genPackage, n int) { p.line = !p.line },
	"test file":         func(_ *sources, p *genPackage, n int) { p.test = n % 4 },
	"body and tests":    func(_ *sources, p *genPackage, n int) { p.body, p.test = n, n%4 },
	"body and excluded": func(_ *sources, p *genPackage, n int) { p.body, p.unread = n, n },
	"body and embedded": func(s *sources, p *genPackage, n int) { p.body, s.text = n, n },
	"type error":        func(_ *sources, p *genPackage, n int) { p.broken = !p.broken },
	"embedded":          func(s *sources, _ *genPackage, n int) { s.text = n },
	"embedded file":     func(s *sources, _ *genPackage, n int) { s.more = !s.more },
	"go.mod":            func(s *sources, _ *genPackage, n int) { s.mod = n },
	"several": func(s *sources, p *genPackage, n int) {
		p.body, p.inline = n, n
		s.pkgs[n%genPackages].body, s.pkgs[(n/7)%genPackages].generic = n, n
	},
	"same size and time": func(_ *sources, p *genPackage, n int) { p.body = n },
}

// importBelow has a package import one of those with lower numbers, or no more.
func (s *sources) importBelow(p *genPackage, n int) {
	if p.n == 0 {
		return
	}
	other := n % p.n
	if i := slices.Index(p.imports, other); i >= 0 {
		p.imports = slices.Delete(slices.Clone(p.imports), i, i+1)
	} else {
		p.imports = append(p.imports, other)
	}
}

// importAbove has a package import one of those with higher numbers, or no more.
func (s *sources) importAbove(p *genPackage, n int) {
	switch {
	case p.above > 0:
		p.above = 0
	case p.n < genPackages-1:
		p.above = p.n + 1 + n%(genPackages-1-p.n)
	}
}

// reaches reports whether a package imports another, directly or not.
func (s *sources) reaches(from, to int) bool {
	seen := make([]bool, genPackages)
	var follow func(n int) bool
	follow = func(n int) bool {
		if n == to || seen[n] {
			return n == to
		}
		seen[n] = true
		p := s.pkgs[n]
		return p.above > 0 && follow(p.above) || slices.ContainsFunc(p.imports, follow)
	}
	return follow(from)
}

// repair takes back what keeps the module from being built.
func (s *sources) repair() {
	for _, p := range s.pkgs {
		p.broken = false
		if p.test >= 2 {
			p.test = 0
		}
		if p.above > 0 && s.reaches(p.above, p.n) {
			p.above = 0
		}
	}
}

// files returns the whole module, by relative name.
func (s *sources) files() map[string]string {
	all := map[string]string{
		"go.mod":      fmt.Sprintf("module example.com/m // %d\n\ngo 1.24\n", s.mod),
		"p4/text/a.t": fmt.Sprintf("text %d\n", s.text),
	}
	if s.more {
		all["p4/text/b.t"] = "more"
	}
	for _, p := range s.pkgs {
		p.files(all)
	}
	var main strings.Builder
	main.WriteString("package main\n\nimport (\n")
	for n := range genPackages {
		fmt.Fprintf(&main, "\t\"example.com/m/p%d\"\n", n)
	}
	main.WriteString(")\n\nfunc main() {\n")
	for n := range genPackages {
		fmt.Fprintf(&main, "\tprintln(p%[1]d.Body(3), int(p%[1]d.Sig(2)), p%[1]d.Gen([]int{1}), p%[1]d.V)\n", n)
	}
	all["main.go"] = main.String() + "}\n"
	return all
}

func (p *genPackage) files(all map[string]string) {
	dir := fmt.Sprintf("p%d/", p.n)
	all[dir+"a.go"] = p.source()
	if p.second {
		text := fmt.Sprintf("package p%d\n\nfunc init() { V += %d }\n", p.n, p.n)
		if p.excluded {
			text = fmt.Sprintf("//go:build never\n\n%s\nconst unread = %d\n", text, p.unread)
		}
		all[dir+"b.go"] = text
	}
	name := fmt.Sprintf("p%d", p.n)
	if p.test == 2 && p.n%2 == 0 {
		name = "else" // the go command does not build it
	}
	if p.test > 0 {
		imports := ""
		if p.test == 3 {
			imports = "import \"C\"\n\n" // nor that
		}
		all[dir+"a_test.go"] = fmt.Sprintf("package %s\n\n%sconst test = %d\n", name, imports, p.test)
	}
}

func (p *genPackage) source() string {
	var b strings.Builder
	out := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	b.WriteString(strings.Repeat("// A line.\n", p.lines))
	out("// Package p%d has %09d words.\npackage p%d\n\nimport (", p.n, p.words, p.n)
	if p.n == 4 {
		out("\t\"embed\"")
	}
	if p.strings {
		out("\t\"strings\"")
	}
	if p.n == 1 || p.n == 3 {
		out("\t_ \"unsafe\"")
	}
	for _, i := range p.imports {
		out("\t\"example.com/m/p%d\"", i)
	}
	if p.above > 0 {
		out("\t_ \"example.com/m/p%d\"", p.above)
	}
	out(")\n\nconst C = %d\n\nvar V = C + %d", p.constant, p.variable)
	if p.n == 4 {
		out("\n//go:embed text\nvar Text embed.FS\n\nfunc init() { b, _ := Text.ReadFile(\"text/a.t\"); V += len(b) }")
	}
	if p.n == 1 { // a function by another name, and a variable that p3 knows
		out("\nvar hidden = %d\n\n//go:linkname renamed example.com/m/other.Renamed\n//go:noinline\nfunc renamed() int { return %d }", p.variable, p.body)
		out("\nfunc init() { V += renamed() }")
	}
	if p.n == 3 {
		out("\n//go:linkname hidden example.com/m/p1.hidden\nvar hidden int\n\nfunc init() { V += hidden }")
	}
	if p.strings {
		out("\nvar S = strings.Repeat(\"s\", 2)")
	}
	out("\ntype T struct {")
	for f := range p.fields {
		out("\tF%d int", f)
	}
	out("}\n\nfunc (t T) Sum() int { return t.F0 + %d }", p.n)
	if p.method {
		out("\nfunc (t *T) More() int { return t.F0 * 2 }")
	}
	if p.noinline {
		out("\n//go:noinline")
	}
	out("func In(x int) int { return x + %d }", p.inline)
	out("\nfunc Gen[X ~int](xs []X) X {\n\tvar n X = %d\n\tfor _, x := range xs {\n\t\tn += x\n\t}\n\treturn n\n}", p.generic%100)
	if p.line {
		out("//line other.go:%d", 10+p.n)
	}
	if p.wide {
		out("\nfunc Sig(x int, _ ...string) int64 { return int64(x) }")
	} else {
		out("\nfunc Sig(x int) int { return x }")
	}
	out("\nfunc Hot(x int) int {\n\tfor i := range x {\n\t\tx ^= x<<%d + i\n%s\t}\n\treturn x\n}", p.hot%7, strings.Repeat("\t\tx += x<<3 ^ i*x\n", 9))
	out("\n//go:noinline\nfunc Body(x int) int {\n\ty := %09d + len(\"body %09d\")", 100_000_000+p.body%1000, p.body%1000)
	for _, i := range p.imports {
		out("\ty += p%[1]d.Body(x) + p%[1]d.In(x) + int(p%[1]d.Gen([]int{x})) + p%[1]d.C + p%[1]d.V + p%[1]d.Hot(x) + p%[1]d.T{F0: x}.Sum()", i)
	}
	if p.broken {
		out("\ty += \"broken\"")
	}
	out("\treturn y + In(x) + C + T{}.Sum()\n}")
	for i := range p.inits {
		out("\nfunc init() { V += %d }", i+p.n)
	}
	return b.String()
}

// write writes what differs, each file in one of the ways that editors have; keep are files whose time
// of modification stays.
func (s *sources) write(r *rand.Rand, keep ...string) {
	s.t.Helper()
	files := s.files()
	must := func(err error) {
		s.t.Helper()
		if err != nil {
			s.t.Fatal(err)
		}
	}
	must(filepath.WalkDir(s.dir, func(name string, d os.DirEntry, err error) error {
		rel, _ := filepath.Rel(s.dir, name)
		if _, ok := files[filepath.ToSlash(rel)]; err == nil && !d.IsDir() && !ok {
			return os.Remove(name)
		}
		return err
	}))
	for name, text := range files {
		path := filepath.Join(s.dir, filepath.FromSlash(name))
		before, _ := os.ReadFile(path)
		if string(before) == text {
			continue
		}
		info, _ := os.Stat(path)
		must(os.MkdirAll(filepath.Dir(path), 0o755))
		target := path
		byRename := r != nil && r.IntN(2) == 0
		if byRename {
			target = path + "~"
		}
		must(os.WriteFile(target, []byte(text), 0o644))
		if info != nil && slices.Contains(keep, name) {
			must(os.Chtimes(target, time.Time{}, info.ModTime()))
		}
		if byRename {
			must(os.Rename(target, path))
		}
	}
}
