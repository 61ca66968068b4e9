package fastbuild

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// directory is where the names are of an input that is a list of names.
func (in input) directory() string {
	if in.kind == matchNames {
		return filepath.Dir(in.name)
	}
	return in.name
}

// lists reports whether the input is a list of names.
func (in input) lists() bool {
	switch in.kind {
	case goNames, testNames, moduleNames, allNames, matchNames, embedParent:
		return true
	}
	return false
}

// sumOf is that of the entries of the directory, sorted.
func (in input) sumOf(entries []fs.DirEntry) digest {
	h := sha256.New()
	for _, e := range entries {
		if in.counts(e.Name()) {
			fmt.Fprintf(h, "%q %v\n", e.Name(), e.Type())
		}
	}
	return digest(h.Sum(nil))
}

// counts reports whether a name belongs to a list of names.
func (in input) counts(name string) bool {
	switch in.kind {
	case allNames:
		return true
	case matchNames:
		ok, err := path.Match(filepath.Base(in.name), name)
		return ok && err == nil
	case moduleNames, embedParent:
		return slices.Contains(moduleFiles, name)
	}
	return matters(name) && strings.HasSuffix(name, "_test.go") == (in.kind == testNames)
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

// Names are the entries of directories at some time.
type Names map[string][]fs.DirEntry

// NamesIn reads directories. One that cannot be read is left out.
func NamesIn(dirs iter.Seq[string]) Names {
	all := Names{}
	for dir := range dirs {
		if _, done := all[dir]; done {
			continue
		}
		if entries, err := os.ReadDir(dir); err == nil {
			all[dir] = entries
		}
	}
	return all
}

// written returns an input that may have been written since a time. Of a directory whose names are known from
// before, only those count: programs make files beside their sources, and remove them.
func written(all map[input]seen, since time.Time, before Names) (string, bool) {
	for in, s := range all {
		if in.kind == testHeader || !s.stamp.racy(since) {
			continue
		}
		if entries, ok := before[in.directory()]; ok && in.lists() && in.sumOf(entries) == s.sum {
			continue
		}
		return in.name, true
	}
	return "", false
}
