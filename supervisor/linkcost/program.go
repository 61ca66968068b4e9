package linkcost

import "slices"

// Program is all that one program is linked of.
type Program struct {
	Main     string // the import path of its main package, which is one of Packages
	Packages []Package
}

// Package is one package of a program.
type Package struct {
	Path    string
	Module  string   // the module that it is of; "" for those of the user and the standard library
	Own     bool     // it is of a module of the user
	Imports []string // those that Program does not have are passed over
	Bytes   int64    // of its archive; 0 when it is not compiled
}

// web is a Program by number: a package is its index.
type web struct {
	*Program
	number  map[string]int
	imports [][]int
	roots   []int // main, and what is in the program without an import of any package (runtime/cgo)
}

// set says of each package of a web whether it is in the set.
type set []bool

func newWeb(p *Program) *web {
	w := &web{Program: p, number: map[string]int{}}
	for i, pkg := range p.Packages {
		w.number[pkg.Path] = i
	}
	imported := make(set, len(p.Packages))
	for _, pkg := range p.Packages {
		numbers := w.numbers(pkg.Imports)
		w.imports = append(w.imports, numbers)
		for _, i := range numbers {
			imported[i] = true
		}
	}
	for i, pkg := range p.Packages {
		if pkg.Path == p.Main || !imported[i] {
			w.roots = append(w.roots, i)
		}
	}
	return w
}

// numbers are those of the paths that the program has.
func (w *web) numbers(paths []string) (numbers []int) {
	for _, path := range paths {
		if i, ok := w.number[path]; ok {
			numbers = append(numbers, i)
		}
	}
	return numbers
}

// reach is what the roots lead to when no package of the module without is there ("" is none), and
// when some packages import other ones instead.
func (w *web) reach(without string, instead map[int][]int) set {
	in, next := make(set, len(w.Packages)), slices.Clone(w.roots)
	for len(next) > 0 {
		i := next[len(next)-1]
		next = next[:len(next)-1]
		if in[i] || without != "" && w.Packages[i].Module == without {
			continue
		}
		in[i] = true
		imports, ok := instead[i]
		if !ok {
			imports = w.imports[i]
		}
		next = append(next, imports...)
	}
	return in
}

// above is what leads to the packages of a set, without the set.
func (w *web) above(of set) set {
	leads := slices.Clone(of)
	for grown := true; grown; {
		grown = false
		for i := range w.Packages {
			if !leads[i] && slices.ContainsFunc(w.imports[i], func(j int) bool { return leads[j] }) {
				leads[i], grown = true, true
			}
		}
	}
	for i := range leads {
		leads[i] = leads[i] && !of[i]
	}
	return leads
}
