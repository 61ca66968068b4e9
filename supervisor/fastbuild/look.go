package fastbuild

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Look compares the tree as it is with the one that the plan is of. It stats some files for each
// package that may be edited, and reads those that have another stamp.
func (p *Plan) Look() (Edit, error) {
	e := Edit{seen: maps.Clone(p.inputs)}
	for in, before := range p.inputs {
		if err := e.compare(in, before); err != nil {
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
	case now.sum == before.sum:
	case in.kind == goNames, in.kind == allNames, came, went:
		e.Others = append(e.Others, Difference{in.name, FilesCame})
	case in.kind == goSource:
		e.Sources = append(e.Sources, Source{in.name, now.shape})
	default:
		e.Others = append(e.Others, Difference{in.name, NotCompiled})
	}
	return nil
}

// unchanged reports whether what the compiler has read of a package is what the edit has seen.
func (e Edit) unchanged(pkg *Package) bool {
	read := make([]input, 0, len(pkg.Files)+len(pkg.embed.files))
	for _, name := range pkg.Files {
		read = append(read, input{name, goSource})
	}
	for _, name := range pkg.embed.files {
		read = append(read, input{name, content})
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
