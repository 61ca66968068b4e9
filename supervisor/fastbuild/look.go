package fastbuild

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Look compares the tree as it is with the one that the plan is of. It stats some files for each
// package that may be edited, and reads those that have another stamp.
func (p *Plan) Look() (Edit, error) {
	e := Edit{seen: maps.Clone(p.inputs)}
	for in, before := range p.inputs {
		err := e.compare(in, before)
		if in.kind == testNames && err == nil {
			err = e.addTests(p, in.name)
		}
		if err != nil {
			return Edit{}, fmt.Errorf("look at what the program is built from: %w", err)
		}
	}
	slices.SortFunc(e.Sources, func(a, b Source) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(e.Others, func(a, b Difference) int { return strings.Compare(a.Name, b.Name) })
	return e, nil
}

func (e *Edit) compare(in input, before seen) error {
	now, err := in.look(before)
	if err != nil {
		return err
	}
	e.seen[in] = now
	came := before.sum == digest{}
	went := now.sum == digest{}
	switch {
	case now.sum == before.sum, in.kind == testNames:
	case in.kind == testHeader && went:
		delete(e.seen, in) // the build of before has succeeded in spite of it
	case in.lists(), came, went:
		e.Others = append(e.Others, Difference{in.name, FilesCame})
	case in.kind == goSource:
		e.Sources = append(e.Sources, Source{in.name, now.shape})
	default:
		e.Others = append(e.Others, Difference{in.name, NotCompiled})
	}
	return nil
}

// addTests takes up test files that have come to the directory of a package. One that the go command
// would stumble over is a difference.
func (e *Edit) addTests(p *Plan, dir string) error {
	names := input{dir, testNames}
	if now := e.seen[names].sum; now == p.inputs[names].sum || now == (digest{}) {
		return nil // or the directory is gone, which its other names tell
	}
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		in := input{filepath.Join(dir, entry.Name()), testHeader}
		if _, known := p.inputs[in]; known || !names.counts(entry.Name()) {
			continue
		}
		now, err := in.look(seen{})
		if err != nil {
			return err
		}
		if e.seen[in] = now; !now.shape.testOf(p.clause(dir)) {
			e.Others = append(e.Others, Difference{in.name, FilesCame})
		}
	}
	return err
}

// clause is the name of the package in a directory.
func (p *Plan) clause(dir string) string {
	for _, pkg := range p.packages {
		if pkg.Dir == dir && len(pkg.Files) > 0 {
			return p.shape(pkg.Files[0]).Package
		}
	}
	return ""
}

// unchanged reports whether what the compiler has read of a package is what the edit has seen.
func (e Edit) unchanged(pkg *Package) bool {
	read := make([]input, 0, len(pkg.Files)+len(pkg.embed.files))
	for _, name := range pkg.Files {
		read = append(read, input{name, goSource})
	}
	for _, name := range pkg.embed.files {
		read = append(read, input{name, embedded})
	}
	for _, in := range read {
		before := e.seen[in]
		if before.sum == (digest{}) {
			return false // not looked at, or not there
		}
		now, err := in.look(before)
		if err != nil || now.sum != before.sum || now.stamp != before.stamp {
			return false
		}
	}
	return true
}
