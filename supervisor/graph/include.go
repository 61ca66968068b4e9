package graph

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxIncludes bounds how many included files of one package are watched: a guess, several times
// what a library of one's own has.
const maxIncludes = 2000

// includes follows the #include lines of one package's C sources, to files outside of what the go
// command knows. It takes each line for one that counts, whatever #if it is in; one that a macro
// makes it does not see.
type includes struct {
	known  map[string]bool // to the go command, which compiles the package again for them
	quoted []string        // directories of "name", after that of the file with the line
	angled []string        // directories of <name>, and of "name" after those
	edited func(dir string) bool

	found map[string]bool
	read  map[string]bool
	asked map[asked]bool
	cut   bool // at maxIncludes
}

// asked is an include that was looked for.
type asked struct {
	included
	from string // the directory of "name"
}

func newIncludes(dir string, known map[string]bool, flags []string, edited func(dir string) bool) *includes {
	s := &includes{known: known, edited: edited, found: map[string]bool{}, read: map[string]bool{}, asked: map[asked]bool{}}
	in := func(dirs []string) (all []string) {
		for _, d := range dirs {
			all = append(all, inDir(dir, d))
		}
		return all
	}
	s.quoted = in(values(flags, "-iquote"))
	// The go command passes -I with the package's own directory before all others.
	s.angled = slices.Concat([]string{dir}, in(values(flags, "-I")), in(values(flags, "-isystem")), in(values(flags, "-idirafter")))
	return s
}

func (s *includes) all() []string { return slices.Sorted(maps.Keys(s.found)) }

// goFile follows the C lines above import "C". Included names are relative to the package.
func (s *includes) goFile(name string) {
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return // go list says so
	}
	for line := range preamble(file) {
		if inc, ok := includeOf([]byte(line)); ok {
			s.include(filepath.Dir(name), inc)
		}
	}
}

// file follows the lines of a C source or header.
func (s *includes) file(name string) {
	if s.read[name] || len(s.read) > maxIncludes {
		return
	}
	s.read[name] = true
	src, err := os.ReadFile(name)
	if err != nil {
		return // the compiler says so
	}
	for line := range bytes.Lines(src) {
		if inc, ok := includeOf(line); ok {
			s.include(filepath.Dir(name), inc)
		}
	}
}

// include finds a file as the compiler does. One that is nowhere, and is no header of the system,
// is awaited in each of the directories; so is one that would be found before another that may be
// edited, if its directory is there.
func (s *includes) include(from string, inc included) {
	dirs := s.angled
	if !inc.quoted {
		from = ""
	}
	if s.asked[asked{inc, from}] {
		return
	}
	s.asked[asked{inc, from}] = true
	if inc.quoted {
		dirs = slices.Concat([]string{from}, s.quoted, s.angled)
	}
	if filepath.IsAbs(inc.name) {
		dirs = []string{""}
	}
	var missing []string
	for _, dir := range dirs {
		path := filepath.Join(dir, inc.name)
		info, err := os.Stat(path)
		if err == nil && info.Mode().IsRegular() {
			if s.edited(filepath.Dir(path)) {
				s.add(slices.DeleteFunc(missing, func(name string) bool { return !isDir(filepath.Dir(name)) })...)
				s.add(path)
			}
			return
		}
		missing = append(missing, path)
	}
	if !slices.Contains(generated, inc.name) && !ofSystem(inc.name) {
		s.add(missing...)
	}
}

// generated are headers that the go command makes in each build.
var generated = []string{"_cgo_export.h", "go_asm.h"}

func (s *includes) add(names ...string) {
	for _, name := range names {
		if s.known[name] || s.found[name] || !s.edited(filepath.Dir(name)) {
			continue
		}
		if len(s.found) == maxIncludes {
			s.cut = true
			return
		}
		s.found[name] = true
		s.file(name)
	}
}

func isDir(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// ofSystem reports whether the compiler has a header of that name in directories of its own. When it
// has, but in others than these, the header is awaited in vain, which costs little.
func ofSystem(name string) bool {
	for _, dir := range []string{
		"/usr/include", "/usr/local/include", "/usr/include/*-linux-*", "/usr/include/c++/*", "/usr/lib/gcc/*/*/include", "/usr/lib/llvm-*/lib/clang/*/include",
		"/Library/Developer/CommandLineTools/SDKs/MacOSX.sdk/usr/include", "/Library/Developer/CommandLineTools/usr/lib/clang/*/include",
	} {
		if found, _ := filepath.Glob(filepath.Join(dir, name)); len(found) > 0 {
			return true
		}
	}
	return false
}

// included is what an #include line names.
type included struct {
	name   string
	quoted bool // "name"; else <name>
}

// includeOf reads a line of C.
func includeOf(line []byte) (inc included, ok bool) {
	line, ok = bytes.CutPrefix(bytes.TrimSpace(line), []byte("#"))
	if !ok {
		return inc, false
	}
	line = bytes.TrimSpace(line)
	end := bytes.IndexAny(line, "\"< \t")
	if end < 0 || !slices.Contains([]string{"include", "include_next", "import", "embed"}, string(line[:end])) {
		return inc, false
	}
	line = bytes.TrimSpace(line[end:])
	if len(line) == 0 || line[0] != '"' && line[0] != '<' {
		return inc, false
	}
	inc.quoted = line[0] == '"'
	closing := ">"
	if inc.quoted {
		closing = `"`
	}
	name, _, ok := strings.Cut(string(line[1:]), closing)
	inc.name = name
	return inc, ok && name != ""
}

// preamble are the lines of C above import "C".
func preamble(file *ast.File) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, doc := range preambles(file) {
			for line := range strings.Lines(doc.Text()) {
				if !yield(strings.TrimSpace(line)) {
					return
				}
			}
		}
	}
}

func preambles(file *ast.File) []*ast.CommentGroup {
	var docs []*ast.CommentGroup
	for _, decl := range file.Decls {
		d, ok := decl.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, s := range d.Specs {
			if spec, ok := s.(*ast.ImportSpec); ok && spec.Path.Value == `"C"` {
				docs = append(docs, d.Doc, spec.Doc)
			}
		}
	}
	return docs
}
