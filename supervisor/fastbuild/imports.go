package fastbuild

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/devguard/devguard/supervisor/paths"
)

// importing returns the plan of the program in which the edited sources import what they do now. It is
// refused when other packages would be linked, and when the go command might not allow an import.
//
// An import path is the same package for all but the standard library. What the go command checks is that
// there is no cycle, that a package may see one which is internal or vendored, and that go.mod asks for
// the module of a package which the main module imports (loadImport and disallowInternal in
// cmd/go/internal/load, updateRequirements in cmd/go/internal/modload). What a package imports is in its
// importcfg, and nowhere else in the commands.
func (p *Plan) importing(edited []Source, owners map[string]*Package) (*Plan, *Refusal) {
	now := map[string]Shape{}
	for _, src := range edited {
		now[src.Name] = src.Shape
	}
	next := map[string][]string{} // by import path
	for _, src := range edited {
		was, is, pkg := p.shape(src.Name), src.Shape, owners[src.Name]
		if !is.Parses || slices.Equal(was.Imports, is.Imports) {
			continue
		}
		imports, ok := p.importsAfter(pkg, now)
		if !ok || was.embeds() != is.embeds() || was.usesCgo() != is.usesCgo() {
			return nil, refuse(Imports, src.Name)
		}
		if !slices.Equal(imports, pkg.Imports) {
			next[pkg.Path] = imports
		}
	}
	if len(next) == 0 {
		return p, nil
	}
	for _, src := range edited {
		pkg := owners[src.Name]
		imports, changed := next[pkg.Path]
		if changed && !p.mayImport(pkg, imports, next) {
			return nil, refuse(Imports, src.Name)
		}
	}
	q, ok := p.with(next)
	if !ok {
		return nil, refuse(Imports, "")
	}
	return q, nil
}

// importsAfter is what the importcfg of a package names when these of its sources are others; ok is false
// when that cannot be told.
func (p *Plan) importsAfter(pkg *Package, now map[string]Shape) (imports []string, ok bool) {
	before, after := map[string]bool{}, map[string]bool{}
	for _, name := range pkg.Files {
		shape, edited := now[name]
		if !edited {
			shape = p.shape(name)
		}
		add(before, p.shape(name).Imports)
		add(after, shape.Imports)
	}
	for path := range before {
		linkerToo := pkg == p.main() && (path == "math" || path == "runtime" || strings.HasPrefix(path, "runtime/")) // LinkerDeps in cmd/go/internal/load
		if !after[path] && (linkerToo || path != "unsafe" && !slices.Contains(pkg.Imports, path)) {
			return nil, false
		}
	}
	for _, path := range pkg.Imports {
		if after[path] || !before[path] {
			imports = append(imports, path)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(after)) {
		if path != "unsafe" && !slices.Contains(imports, path) { // that has no archive
			imports = append(imports, path)
		}
	}
	return imports, true
}

func add(set map[string]bool, names []string) {
	for _, name := range names {
		set[name] = true
	}
}

// mayImport reports whether the go command is known to allow what a package imports now and did not, and
// to do without what it imports no more; next are the imports of all packages where they change.
func (p *Plan) mayImport(pkg *Package, imports []string, next map[string][]string) bool {
	if len(pkg.cfg) > 0 { // an import path that is not a package's own
		return false
	}
	for _, path := range slices.Concat(imports, pkg.Imports) {
		if slices.Contains(imports, path) && slices.Contains(pkg.Imports, path) {
			continue
		}
		if target := p.byPath[path]; target == nil || !visible(pkg.Path, path) || !p.required(pkg, target, next) {
			return false
		}
	}
	return true
}

// visible reports whether a package may import a path as it is. (disallowInternal and disallowVendor)
func visible(importer, path string) bool {
	if strings.Contains("/"+path+"/", "/vendor/") {
		return false
	}
	before, _, internal := cutLast("/"+path+"/", "/internal/")
	return !internal || before != "" && strings.HasPrefix("/"+importer+"/", before+"/")
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// required reports whether a package of the importer's module may import the target, whatever go.mod
// says: it is of the standard library or of the same module, or another package of that imports it,
// before and after the edit.
func (p *Plan) required(importer, target *Package, next map[string][]string) bool {
	if paths.Within(target.Dir, p.goroot) {
		return true
	}
	module := p.moduleOf(importer)
	if module == "" || module == p.moduleOf(target) {
		return module != ""
	}
	return slices.ContainsFunc(p.packages, func(other *Package) bool {
		_, changed := next[other.Path]
		return !changed && slices.Contains(other.Imports, target.Path) && p.moduleOf(other) == module
	})
}

// moduleOf is the directory of a package's module; "" for what is in a module cache, or vendored.
func (p *Plan) moduleOf(pkg *Package) string {
	if !pkg.Local || strings.Contains(filepath.ToSlash(pkg.Dir)+"/", "/vendor/") {
		return ""
	}
	for dir := range paths.Up(pkg.Dir) {
		if p.inputs[input{filepath.Join(dir, "go.mod"), content}].sum != (digest{}) {
			return dir
		}
	}
	return ""
}

// with returns a plan in which packages import something else; ok is false when there is a cycle, or not
// the same packages are linked.
func (p *Plan) with(next map[string][]string) (q *Plan, ok bool) {
	copied := *p
	q = &copied
	q.byPath = map[string]*Package{}
	for _, pkg := range p.packages {
		if imports, changed := next[pkg.Path]; changed {
			other := *pkg
			other.Imports = imports
			pkg = &other
		}
		q.byPath[pkg.Path] = pkg
	}
	if !maps.Equal(p.linked(), q.linked()) {
		return nil, false
	}
	q.packages, ok = q.inOrder(p.packages)
	return q, ok
}

// linked are the packages that the main package imports, directly or not.
func (p *Plan) linked() map[string]bool {
	all := map[string]bool{}
	var follow func(path string)
	follow = func(path string) {
		if all[path] {
			return
		}
		all[path] = true
		for _, imported := range p.byPath[path].Imports {
			follow(imported)
		}
	}
	follow(p.main().Path)
	return all
}

// inOrder returns the packages so that what is imported comes first, else in the order that they had;
// ok is false when they import each other.
func (p *Plan) inOrder(before []*Package) (all []*Package, ok bool) {
	const begun, done = 1, 2
	state := map[string]int{}
	var visit func(path string) bool
	visit = func(path string) bool {
		if state[path] != 0 {
			return state[path] == done
		}
		state[path] = begun
		pkg := p.byPath[path]
		for _, imported := range pkg.Imports {
			if !visit(imported) {
				return false
			}
		}
		state[path] = done
		all = append(all, pkg)
		return true
	}
	for _, pkg := range before {
		if !visit(pkg.Path) {
			return nil, false
		}
	}
	return all, true
}
