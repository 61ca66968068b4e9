package classify

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/devguard/devguard/supervisor/paths"
)

// systemDirs hold headers and libraries that come with the machine, and are not edited.
var systemDirs = []string{
	"/usr/include", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec", "/usr/share", "/usr/local/include", "/usr/local/lib", "/usr/local/lib64",
	"/lib", "/lib32", "/lib64", "/opt/homebrew", "/opt/local", "/nix", "/Library", "/System", "/Applications",
}

// System reports whether what is in a directory comes with the machine.
func System(dir string) bool {
	return slices.ContainsFunc(systemDirs, func(system string) bool { return paths.Within(dir, system) })
}

// shared reports whether a library is loaded when the program starts: a program that runs has the
// old one, even if its own file stays the same.
func shared(path string) bool {
	base := filepath.Base(path)
	return slices.Contains([]string{".so", ".dylib", ".dll"}, filepath.Ext(base)) || strings.Contains(base, ".so.")
}

// forC reports whether a file is called like one that only a C compiler or a linker reads, and there
// is somebody to read it: a restart without a build would change nothing.
func (r *Rules) forC(path string) bool {
	if r.Graph == nil || len(r.Graph.Cgo) == 0 {
		return false
	}
	return slices.Contains([]string{
		".c", ".cc", ".cpp", ".cxx", ".m", ".mm", ".h", ".hh", ".hpp", ".hxx", ".inc", ".inl", ".s", ".S", ".a", ".o", ".lib",
	}, filepath.Ext(path))
}

// cgoOf names the package that includes a file, or is linked with it.
func (g *Graph) cgoOf(path string) string {
	for _, c := range g.Cgo {
		if slices.Contains(c.Includes, path) || slices.Contains(c.Libraries, path) {
			return "package " + c.Package
		}
	}
	return "a package of the graph"
}

// notRead says why a file that only a C compiler or a linker reads asks for nothing.
func (g *Graph) notRead(base string) string {
	for _, c := range g.Cgo {
		switch {
		case c.Cut:
			return "package " + c.Package + " includes more files than are watched, and this one is none of those; edit a file of the package after it"
		case c.PkgConfig:
			return "what #cgo pkg-config of package " + c.Package + " names is not watched, and no other cgo package reads it; if it is of the former, edit a file of the package after it"
		}
	}
	return "no cgo package of " + g.mainName(base) + " compiles, includes or links it; if a library is made from it, a hook can watch it and make that"
}
