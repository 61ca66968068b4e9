package classify

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/devguard/devguard/supervisor/paths"
)

// compiled are the suffixes, other than .go, that the go command takes from a
// package directory. C and its relatives count only in a package that uses cgo,
// which a name does not tell: a first helper.h beside a file that imports "C"
// must be seen, because the build fails until it is there.
var compiled = []string{
	".s", ".S", ".sx", ".syso",
	".c", ".cc", ".cpp", ".cxx", ".m", ".h", ".hh", ".hpp", ".hxx",
	".f", ".F", ".for", ".f90", ".swig", ".swigcxx",
}

// newRole says what a file that the graph does not know would be to it; 0 if
// nothing.
func (g *Graph) newRole(path string) Role {
	dir, base := filepath.Split(path)
	dir = filepath.Clean(dir)
	switch {
	case g.isModuleFile(dir, base):
		return Module
	case base == "default.pgo" && dir == g.mainDir():
		return Profile
	}
	if d, _ := g.embeds(path); d != nil {
		return Embedded
	}
	if hidden(base) || temporary(base) || g.dir(dir) == nil {
		return 0
	}
	if strings.HasSuffix(base, ".go") {
		return g.newGoRole(dir, base)
	}
	if slices.Contains(compiled, filepath.Ext(base)) && g.match(dir, base) {
		return OtherSource
	}
	return 0
}

func (g *Graph) newGoRole(dir, base string) Role {
	switch {
	case strings.HasSuffix(base, "_test.go"):
		return Test
	case g.match(dir, base):
		return GoFile
	}
	return Excluded // until its constraint is edited
}

func (g *Graph) match(dir, base string) bool { return g.Match == nil || g.Match(dir, base) }

// isModuleFile reports whether a file decides which modules there are. A go.work
// counts in every parent of the main module, where the go command looks for it.
func (g *Graph) isModuleFile(dir, base string) bool {
	switch base {
	case "go.mod", "go.sum":
		return slices.Contains(g.Roots, dir)
	case "go.work", "go.work.sum":
		return len(g.Roots) > 0 && paths.Within(g.Roots[0], dir)
	case "modules.txt":
		return filepath.Base(dir) == "vendor" && len(g.Roots) > 0 && paths.Within(g.Roots[0], filepath.Dir(dir))
	}
	return false
}

// dir returns the package in a directory; nil if it has none of the graph.
func (g *Graph) dir(path string) *Dir {
	for i := range g.Dirs {
		if g.Dirs[i].Path == path {
			return &g.Dirs[i]
		}
	}
	return nil
}

func (g *Graph) mainDir() string {
	for _, d := range g.Dirs {
		if d.Package == g.Package {
			return d.Path
		}
	}
	return ""
}

// describe is the reason for a file of the graph.
func (g *Graph) describe(base, path string, role Role) string {
	pkg := "a package of the graph"
	if d := g.dir(filepath.Dir(path)); d != nil {
		pkg = "package " + d.Package
	}
	part := ", part of " + g.mainName(base)
	switch role {
	case GoFile:
		return "Go source of " + pkg + part
	case OtherSource:
		return "cgo or assembly source of " + pkg + part
	case Embedded:
		if d, pattern := g.embeds(path); d != nil {
			return fmt.Sprintf("embedded by package %s (//go:embed %s)", d.Package, pattern)
		}
		return "embedded by " + pkg
	case Excluded:
		return "excluded by a build constraint (the constraint itself is watched)"
	case Module:
		return "decides which modules " + g.mainName(base) + " is built from"
	case Profile:
		return "the profile that " + g.mainName(base) + " is built with"
	}
	return "a file of the graph" + part
}

// mainName names the main package as a person would on the command line.
func (g *Graph) mainName(base string) string {
	dir := g.mainDir()
	if dir == "" || base == "" {
		return g.Package
	}
	rel, ok := paths.Rel(base, dir)
	if !ok {
		return g.Package
	}
	if rel == "." {
		return "."
	}
	return "./" + filepath.ToSlash(rel)
}

// notImported is the reason for a Go file outside the graph.
func (g *Graph) notImported(base, dir string) string {
	name := "the package in " + dir
	if p := g.importPath(dir); p != "" {
		name = "package " + p
	} else if rel, err := filepath.Rel(base, dir); err == nil {
		name = "the package in " + filepath.ToSlash(rel)
	}
	return name + " is not imported by " + g.mainName(base)
}

// importPath guesses the import path of a directory that is not in the graph
// from a package of the same module that is.
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
	for _, d := range g.Dirs {
		if module, ok := trimDir(d.Package, root, d.Path); ok {
			rel, _ := filepath.Rel(root, dir)
			return strings.TrimSuffix(module+"/"+filepath.ToSlash(rel), "/.")
		}
	}
	return ""
}

// trimDir returns the module's path, given a package of it.
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
