package graph

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"hash"
	"path/filepath"
	"slices"
	"strings"

	"github.com/devguard/devguard/supervisor/change"
)

// Header is the digest of what Load reads in one source file: package clause, imports, build
// constraints, //go:embed lines, cgo directives, #include lines. An edit of a body or of another
// comment leaves it equal. It takes tens of microseconds.
//
// It is made of all of src when the header does not parse, of a test file only of its package
// clause, of a file that is not Go only of its build constraints and #include lines.
func Header(name string, src []byte) change.Digest {
	h := sha256.New()
	if filepath.Ext(name) == ".go" {
		goHeader(h, name, src)
	} else {
		constraints(h, src)
		includeLines(h, src)
	}
	var d change.Digest
	copy(d[:], h.Sum(nil))
	return d
}

func goHeader(h hash.Hash, name string, src []byte) {
	file, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		fmt.Fprintf(h, "broken %d\n", len(src))
		h.Write(src)
		return
	}
	for _, group := range file.Comments {
		for _, c := range group.List {
			if c.Pos() < file.Package && isConstraint(c.Text) {
				fmt.Fprintf(h, "constraint %q\n", strings.TrimSpace(c.Text))
			}
		}
	}
	fmt.Fprintf(h, "package %q\n", file.Name.Name)
	if strings.HasSuffix(name, "_test.go") {
		return // go list without -test does not follow its imports
	}
	var paths []string
	for _, spec := range file.Imports {
		paths = append(paths, spec.Path.Value)
	}
	slices.Sort(paths)
	fmt.Fprintf(h, "imports %q\n", slices.Compact(paths))
	cgoLines(h, file)
	embeds(h, src)
}

func isConstraint(line string) bool {
	return strings.HasPrefix(line, "//go:build") ||
		strings.HasPrefix(line, "//") && strings.HasPrefix(strings.TrimSpace(line[2:]), "+build")
}

// cgoLines are the #cgo and #include lines above import "C".
func cgoLines(h hash.Hash, file *ast.File) {
	for line := range preamble(file) {
		if strings.HasPrefix(line, "#cgo") {
			fmt.Fprintf(h, "cgo %q\n", line)
		} else if inc, ok := includeOf([]byte(line)); ok {
			fmt.Fprintf(h, "include %v\n", inc)
		}
	}
}

// embeds are all lines that look like a //go:embed directive. One in a raw string counts too, which
// costs a go list for nothing.
func embeds(h hash.Hash, src []byte) {
	directive := []byte("//go:embed")
	for {
		i := bytes.Index(src, directive)
		if i < 0 {
			return
		}
		line, rest, _ := bytes.Cut(src[i:], []byte("\n"))
		fmt.Fprintf(h, "embed %q\n", bytes.TrimSpace(line))
		src = rest
	}
}

// constraints are the build constraints of C and assembly: in the lines before the first that is
// neither blank nor a // comment.
func constraints(h hash.Hash, src []byte) {
	for line := range bytes.Lines(src) {
		line = bytes.TrimSpace(line)
		if len(line) > 0 && !bytes.HasPrefix(line, []byte("//")) {
			return
		}
		if isConstraint(string(line)) {
			fmt.Fprintf(h, "constraint %q\n", line)
		}
	}
}

// includeLines are the #include lines of C.
func includeLines(h hash.Hash, src []byte) {
	for line := range bytes.Lines(src) {
		if inc, ok := includeOf(line); ok {
			fmt.Fprintf(h, "include %v\n", inc)
		}
	}
}
