package classify

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/devguard/devguard/supervisor/paths"
)

// outside says why a file asks for nothing even if watch.include names it; "" if it does ask for
// something then.
func (r *Rules) outside(path string) string {
	if dir := r.usuallyExcluded(path); dir != "" {
		return "inside " + dir
	}
	if glob := r.exclude(path); glob != "" {
		return fmt.Sprintf("matches watch.exclude %q", glob)
	}
	if r.Ignored != nil && r.Ignored(path) && !r.Named(path) {
		return "git ignores it"
	}
	return ""
}

// Named reports whether a glob of watch.include without wildcards is this very path, or is below it.
// Then git does not keep it from being watched.
func (r *Rules) Named(path string) bool {
	for _, glob := range r.Include {
		if name, ok := literal(glob); ok && paths.Within(r.abs(filepath.FromSlash(name)), path) {
			return true
		}
	}
	return false
}

// whyNot says why a file asks for nothing that watch.include does not name.
func (r *Rules) whyNot(path, outside string) string {
	base := filepath.Base(path)
	isGo := strings.HasSuffix(base, ".go")
	switch {
	case isGo && strings.HasSuffix(base, "_test.go"):
		return "test file: not part of the binary"
	case isGo && hidden(base):
		return "the go command ignores files whose names begin with _ or ."
	case outside != "":
		return outside
	case isGo && r.Graph != nil:
		return r.Graph.notImported(r.Base, filepath.Dir(path))
	case r.forC(path) && System(filepath.Dir(path)):
		return "in a directory of the system, where headers and libraries are not watched"
	case r.forC(path):
		return r.Graph.notRead(r.Base)
	}
	return "not part of the binary, and matches no watch.include pattern"
}

// suggest returns the line of devguard.toml with which a change of an ignored file would restart the
// app; "" if no line would.
func (r *Rules) suggest(path string) string {
	if r.Command || r.forC(path) || r.outside(path) != "" {
		return ""
	}
	rel, ok := r.rel(path)
	if !ok || paths.Climbs(rel) {
		return "" // beside the tree nobody looks for what the globs match
	}
	return tomlLine("watch.include", append(slices.Clip(r.Include), escape(rel)))
}

// ExcludeLine returns the line of devguard.toml with which files restart nothing that the running
// app reads. They are absolute.
func (r *Rules) ExcludeLine(files []string) string {
	globs := slices.Clip(r.Exclude)
	for _, f := range files {
		name, ok := r.rel(f)
		if !ok || paths.Climbs(name) {
			name = filepath.ToSlash(f)
		}
		globs = append(globs, escape(name))
	}
	return tomlLine("watch.exclude", globs)
}

func tomlLine(key string, globs []string) string {
	quoted := make([]string, len(globs))
	for i, g := range globs {
		quoted[i] = fmt.Sprintf("%q", g)
	}
	return key + " = [" + strings.Join(quoted, ", ") + "]"
}

// describe says what a file of the graph is to it.
func (g *Graph) describe(base, path string, role Role) string {
	pkg := "a package of the graph"
	if d, ok := g.Dirs[filepath.Dir(path)]; ok {
		pkg = "package " + d.Package
	}
	part := ", part of " + g.mainName(base)
	switch role {
	case GoFile:
		return "Go source of " + pkg + part
	case OtherSource:
		return "cgo or assembly source of " + pkg + part
	case Embedded:
		if of, pattern := g.embeds(path); pattern != "" {
			return fmt.Sprintf("embedded by package %s (//go:embed %s)", of, pattern)
		}
		return "embedded by " + pkg
	case Excluded:
		return "excluded by a build constraint (the constraint itself is watched)"
	case Module:
		return "decides which modules " + g.mainName(base) + " is built from"
	case Included:
		return "included by C or assembly sources of " + g.cgoOf(path) + part
	case Library:
		return "a library that " + g.cgoOf(path) + " is linked with" + part
	case Profile:
		return "the profile that " + g.mainName(base) + " is built with"
	}
	return "a file of the graph" + part
}

// mainName names the main package as a person would on the command line.
func (g *Graph) mainName(base string) string {
	if g.MainDir == "" || base == "" {
		return g.Package
	}
	rel, ok := paths.Rel(base, g.MainDir)
	if !ok {
		return g.Package
	}
	if rel == "." {
		return "."
	}
	return "./" + filepath.ToSlash(rel)
}

// notImported says that a Go file outside the graph is in a package that nobody imports.
func (g *Graph) notImported(base, dir string) string {
	name := "the package in " + dir
	if p := g.importPath(dir); p != "" {
		name = "package " + p
	} else if rel, err := filepath.Rel(base, dir); err == nil {
		name = "the package in " + filepath.ToSlash(rel)
	}
	return name + " is not imported by " + g.mainName(base)
}

// importPath guesses the import path of a directory outside the graph, from a package of the same
// module.
func (g *Graph) importPath(dir string) string {
	root := ""
	for _, r := range g.Roots {
		if paths.Within(dir, r) && len(r) > len(root) {
			root = r
		}
	}
	if root == "" {
		return ""
	}
	for at, d := range g.Dirs {
		if module, ok := trimDir(d.Package, root, at); ok {
			rel, _ := filepath.Rel(root, dir)
			return strings.TrimSuffix(module+"/"+filepath.ToSlash(rel), "/.")
		}
	}
	return ""
}

// trimDir returns the path of a module, of which a package and its directory are given.
func trimDir(pkg, root, dir string) (string, bool) {
	if !paths.Within(dir, root) {
		return "", false
	}
	rel, err := filepath.Rel(root, dir)
	if err != nil {
		return "", false
	}
	if rel == "." {
		return pkg, pkg != "" && pkg != "command-line-arguments"
	}
	return strings.CutSuffix(pkg, "/"+filepath.ToSlash(rel))
}
