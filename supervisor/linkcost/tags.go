package linkcost

import (
	"cmp"
	"go/build/constraint"
	"maps"
	"slices"
	"strings"
)

// Source is one Go file of a package.
type Source struct {
	Name       string          // as it is shown
	Constraint constraint.Expr // nil for none
	Imports    []string
}

// Tag is what a tag of a build constraint is in this build.
type Tag int

// The states of tags.
const (
	Fixed Tag = iota // it does not hold, and is not for -tags: an operating system, a version of Go
	Set              // it holds
	Free             // it does not hold, and would with -tags
)

// Sources are files of packages, also those that a constraint keeps out of this build.
type Sources struct {
	Files map[string][]Source // by import path: all that a package has, tests excepted
	Tags  map[string]Tag      // of their constraints
}

// Exit is a build tag that leaves a module out of the program.
type Exit struct {
	Tag  string
	File string // the Name of one that the tag leaves out, and by which the module comes in
}

// Exits finds, for each of the modules, the tags that leave it out as far as the sources tell: a
// package that the program does not have now, and would with the tag, may still lead to the module.
// The tag with which most of the program stays is first.
func Exits(p *Program, modules []Module, s Sources) map[string][]Exit {
	w := newWeb(p)
	all := w.trials(s)
	exits := map[string][]Exit{}
	for _, m := range modules {
		for _, t := range all {
			if file := t.exit(m, s); file != "" && !t.has(w, m.Path) {
				exits[m.Path] = append(exits[m.Path], Exit{t.tag, file})
			}
		}
	}
	return exits
}

// trial is the program as it would be with one more tag.
type trial struct {
	tag string
	in  set
	new []string // import paths that the program does not have now
}

func (w *web) trials(s Sources) (all []trial) {
	for _, tag := range slices.Sorted(maps.Keys(s.Tags)) {
		if s.Tags[tag] == Free {
			all = append(all, w.trial(tag, s))
		}
	}
	slices.SortStableFunc(all, func(a, b trial) int { return cmp.Compare(b.size(), a.size()) })
	return all
}

func (w *web) trial(tag string, s Sources) trial {
	t := trial{tag: tag}
	imports, instead := map[int][]string{}, map[int][]int{}
	for path, files := range s.Files {
		if i, ok := w.number[path]; ok {
			imports[i] = importsOf(files, s.with(tag))
			instead[i] = w.numbers(imports[i])
		}
	}
	t.in = w.reach("", instead)
	for i, paths := range imports {
		for _, path := range paths {
			if _, known := w.number[path]; t.in[i] && !known {
				t.new = append(t.new, path)
			}
		}
	}
	return t
}

func (t trial) size() (n int) {
	for _, in := range t.in {
		if in {
			n++
		}
	}
	return n
}

// has reports whether a package of a module is in the program.
func (t trial) has(w *web, module string) bool {
	for i, in := range t.in {
		if in && w.Packages[i].Module == module {
			return true
		}
	}
	return slices.ContainsFunc(t.new, func(path string) bool { return path == module || strings.HasPrefix(path, module+"/") })
}

// exit is the first file that is left out with the tag and leads to the module; "" for none.
func (t trial) exit(m Module, s Sources) string {
	for _, path := range m.Above {
		for _, file := range s.Files[path] {
			if file.in(s.with("")) && !file.in(s.with(t.tag)) && slices.ContainsFunc(file.Imports, func(i string) bool { return m.ways[i] }) {
				return file.Name
			}
		}
	}
	return ""
}

// with returns whether a tag holds when one more does; "" is none.
func (s Sources) with(tag string) func(string) bool {
	return func(name string) bool { return name == tag || s.Tags[name] == Set }
}

// In reports whether the constraint lets the file into the build.
func (f Source) In(tags map[string]Tag) bool {
	return f.in(Sources{Tags: tags}.with(""))
}

func (f Source) in(holds func(tag string) bool) bool {
	return f.Constraint == nil || f.Constraint.Eval(holds)
}

func importsOf(files []Source, holds func(tag string) bool) (all []string) {
	for _, file := range files {
		if file.in(holds) {
			all = append(all, file.Imports...)
		}
	}
	return all
}
