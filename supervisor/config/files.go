package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// FilesPackage returns the package that Go files stand for, relative to work: the directory that
// they are in, when the files are its whole package, or all that a shell makes of *.go. Files that
// are only a part of it, or not there, are not ok. Test files do not count. flags are build flags.
func FilesPackage(work string, files, flags []string) (pkg string, ok bool) {
	dir := filepath.Dir(files[0])
	var named []string
	for _, file := range files {
		if filepath.Dir(file) != dir {
			return "", false
		}
		if !strings.HasSuffix(file, "_test.go") {
			named = append(named, filepath.Base(file))
		}
	}
	at := localDir(work, dir)
	p, _ := buildContext(flags).ImportDir(at, 0) // the build says what is wrong with a file
	if p == nil || !sameFiles(named, slices.Concat(p.GoFiles, p.CgoFiles, p.InvalidGoFiles)) && !sameFiles(named, goFiles(at)) {
		return "", false
	}
	if dir == "." || filepath.IsAbs(dir) {
		return dir, true
	}
	return "./" + filepath.ToSlash(dir), true
}

// goFiles are the names that *.go has in dir, without tests.
func goFiles(dir string) []string {
	entries, _ := os.ReadDir(dir)
	var names []string
	for _, e := range entries {
		name := e.Name()
		if !e.IsDir() && name[0] != '.' && strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			names = append(names, name)
		}
	}
	return names
}

// sameFiles compares without regard to order and repetition.
func sameFiles(a, b []string) bool {
	sorted := func(names []string) []string {
		names = slices.Clone(names)
		slices.Sort(names)
		return slices.Compact(names)
	}
	return slices.Equal(sorted(a), sorted(b))
}
