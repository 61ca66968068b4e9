package fastbuild

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// input is one thing that a plan depends on.
type input struct {
	name string // absolute
	kind inputKind
}

type inputKind uint8

const (
	goSource   inputKind = iota // compiled, of a package that somebody may edit: the one that may change
	content                     // of whatever file, there or not: go.mod, embedded files, those that a constraint excludes, tools
	testHeader                  // of a test file what the go command reads of it
	testNames                   // the names of test files in a directory
	goNames                     // the other names in a directory that the go command may care about
	allNames                    // all names in a directory
)

// digest tells contents apart.
type digest [sha256.Size]byte

// seen is what an input was, the last time that somebody looked.
type seen struct {
	stamp stamp
	at    time.Time // when the look began
	sum   digest    // zero: there is none
	shape Shape     // of a Go source: of the bytes that the sum is of
}

// look returns what an input is now; before is what it was. One that has kept its stamp is not read.
func (in input) look(before seen) (seen, error) {
	now := seen{at: time.Now()}
	info, err := os.Stat(in.name)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return now, nil
	case err != nil:
		return now, err
	}
	now.stamp = stampOf(info)
	if now.stamp == before.stamp && !before.stamp.racy(before.at) {
		return before, nil
	}
	now.sum, now.shape, err = in.read()
	return now, err
}

// read returns a sum that is never zero but with an error.
func (in input) read() (digest, Shape, error) {
	switch in.kind {
	case goNames, testNames, allNames:
		sum, err := in.names()
		return sum, Shape{}, err
	}
	src, err := os.ReadFile(in.name)
	if err != nil {
		return digest{}, Shape{}, err
	}
	switch in.kind {
	case goSource:
		return sha256.Sum256(src), shapeOf(src), nil
	case testHeader:
		s := shapeOf(src)
		return sha256.Sum256(fmt.Appendf(nil, "%t %s %t", s.Parses, s.Package, s.usesCgo())), s, nil
	}
	return sha256.Sum256(src), Shape{}, nil
}

func (in input) names() (digest, error) {
	entries, err := os.ReadDir(in.name)
	if err != nil {
		return digest{}, err
	}
	h := sha256.New()
	for _, e := range entries { // sorted
		if in.counts(e.Name()) {
			fmt.Fprintf(h, "%q %v\n", e.Name(), e.Type())
		}
	}
	return digest(h.Sum(nil)), nil
}

// counts reports whether a name belongs to a list of names.
func (in input) counts(name string) bool {
	test := strings.HasSuffix(name, "_test.go")
	return in.kind == allNames || matters(name) && test == (in.kind == testNames)
}

// matters reports whether the go command looks at a file of that name in a package's directory.
// (goodOSArchFile and matchFile in go/build)
func matters(name string) bool {
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
		return false
	}
	return slices.Contains(sourceEndings, filepath.Ext(name)) || slices.Contains(moduleFiles, name)
}

var (
	sourceEndings = []string{".go", ".c", ".cc", ".cpp", ".cxx", ".m", ".h", ".hh", ".hpp", ".hxx", ".f", ".F", ".for", ".f90", ".s", ".S", ".sx", ".swig", ".swigcxx", ".syso"}
	moduleFiles   = []string{"go.mod", "go.sum", "go.work", "go.work.sum", "vendor", "default.pgo"}
)

// take looks at inputs for the first time. A source that is compiled must be there.
func take(inputs []input) (map[input]seen, error) {
	all := make(map[input]seen, len(inputs))
	for _, in := range inputs {
		now, err := in.look(seen{})
		if err != nil {
			return nil, err
		}
		if in.kind == goSource && now.sum == (digest{}) {
			return nil, &fs.PathError{Op: "read", Path: in.name, Err: fs.ErrNotExist}
		}
		all[in] = now
	}
	return all, nil
}

// written returns an input that may have been written since a time.
func written(all map[input]seen, since time.Time) (string, bool) {
	for in, s := range all {
		if in.kind != testHeader && s.stamp.racy(since) {
			return in.name, true
		}
	}
	return "", false
}
