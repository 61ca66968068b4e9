package linkcost

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Cost is what the linker reads, and what brings most of it.
type Cost struct {
	Packages int
	Bytes    int64    // of the packages that are not the user's own; 0 when not all of these are compiled
	Modules  []Module // that bring a good part of it, the largest first
}

// Module is what one module brings into a program.
type Module struct {
	Path     string
	Packages int      // that would not be in the program without it
	Bytes    int64    // of them; 0 when Cost.Bytes is
	Within   string   // another Module that brings all of this one; "" for none
	Above    []string // import paths of the packages through which it comes in, sorted

	brings set
	ways   map[string]bool // import paths of what it brings, and of Above
}

// least is the part of the whole from which on a module is named: a twentieth. It is a guess. Where a
// link takes a second, what is less saves less than 50 ms of it.
const least = 20

// Weigh says what the program costs, and which modules bring a good part of that.
func Weigh(p *Program) Cost {
	w := newWeb(p)
	c := Cost{Packages: len(p.Packages), Bytes: p.bytes()}
	for _, path := range p.modules() {
		if m := w.module(path, c.Bytes > 0); c.isPart(m) {
			c.Modules = append(c.Modules, m)
		}
	}
	slices.SortFunc(c.Modules, func(a, b Module) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(b.Packages, a.Packages), strings.Compare(a.Path, b.Path))
	})
	for i := range c.Modules {
		m := &c.Modules[i]
		m.Within = within(m.brings, c.Modules[:i])
		w.trace(m)
	}
	return c
}

// trace fills in the ways by which a module comes in.
func (w *web) trace(m *Module) {
	m.ways = map[string]bool{}
	leads := w.above(m.brings)
	for i, pkg := range w.Packages {
		if leads[i] {
			m.Above = append(m.Above, pkg.Path)
		}
		if leads[i] || m.brings[i] {
			m.ways[pkg.Path] = true
		}
	}
	slices.Sort(m.Above)
}

// isPart reports whether a module is a good part of the whole, by bytes where these are known.
func (c Cost) isPart(m Module) bool {
	if c.Bytes > 0 {
		return m.Bytes*least >= c.Bytes
	}
	return m.Packages*least >= c.Packages
}

// within names the first of several modules that brings all of some packages.
func within(packages set, modules []Module) string {
	for _, m := range modules {
		inside := true
		for i, in := range packages {
			inside = inside && (!in || m.brings[i])
		}
		if inside {
			return m.Path
		}
	}
	return ""
}

// bytes are those of all packages that are not the user's own, 0 when some are not known. While one
// of the user's own is edited, the archives of all that import it are not there.
func (p *Program) bytes() (sum int64) {
	for _, pkg := range p.Packages {
		switch {
		case pkg.Own, pkg.Path == "unsafe": // which has no archive
		case pkg.Bytes == 0:
			return 0
		default:
			sum += pkg.Bytes
		}
	}
	return sum
}

// modules are the paths of those that are not the user's own, sorted.
func (p *Program) modules() []string {
	seen := map[string]bool{}
	for _, pkg := range p.Packages {
		if pkg.Module != "" && !pkg.Own {
			seen[pkg.Module] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// module says what a module brings; bytes only where all are known.
func (w *web) module(path string, bytes bool) Module {
	rest := w.reach(path, nil)
	m := Module{Path: path, brings: make(set, len(rest))}
	for i, stays := range rest {
		if stays {
			continue
		}
		m.brings[i] = true
		m.Packages++
		if pkg := w.Packages[i]; bytes && !pkg.Own {
			m.Bytes += pkg.Bytes
		}
	}
	return m
}
