package classify

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/devguard/devguard/supervisor/paths"
)

// compiled are the suffixes, other than .go, that the go command takes from a package directory. C
// and its relatives count only in a package that uses cgo, which a name does not tell: a first
// helper.h beside a file that imports "C" must be seen, because the build fails until it is there.
var compiled = []string{
	".s", ".S", ".sx", ".syso",
	".c", ".cc", ".cpp", ".cxx", ".m", ".h", ".hh", ".hpp", ".hxx",
	".f", ".F", ".for", ".f90", ".swig", ".swigcxx",
}

// newRole says what go list would make of a file that the graph does not know; 0 if nothing.
func (g *Graph) newRole(path string) Role {
	dir, base := filepath.Split(path)
	dir = filepath.Clean(dir)
	switch {
	case g.isModuleFile(dir, base):
		return Module
	case base == "default.pgo" && dir == g.MainDir:
		return Profile
	}
	if _, pattern := g.embeds(path); pattern != "" {
		return Embedded
	}
	if _, ok := g.Dirs[dir]; !ok || hidden(base) || temporary(base) {
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

// isModuleFile reports whether a file decides which modules there are. A go.work does in every
// directory above the main module, because the go command looks for it there.
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
