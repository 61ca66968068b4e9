package config

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/devguard/devguard/supervisor/paths"
)

// ownModule is where the go command has to run to build pkg, and pkg as seen from there. The go
// command builds a directory only from within its module: of another module, below base, it says
// that the main module does not contain it. A go.work says itself which modules there are.
func ownModule(base, pkg string) (dir, seen string) {
	if !isLocal(pkg) && !strings.HasSuffix(pkg, ".go") || inWorkspace(base) {
		return base, pkg
	}
	file := ""
	if strings.HasSuffix(pkg, ".go") {
		pkg, file = filepath.Split(filepath.FromSlash(pkg))
	}
	at := localDir(base, pkg)
	module := parentWith(at, "go.mod")
	if module == "" || module == parentWith(base, "go.mod") {
		return base, filepath.ToSlash(pkg) + file
	}
	rel, ok := paths.Rel(module, at)
	switch {
	case !ok:
		return base, filepath.ToSlash(pkg) + file
	case file != "":
		return module, filepath.ToSlash(filepath.Join(rel, file))
	case rel == ".":
		return module, "."
	}
	return module, "./" + filepath.ToSlash(rel)
}

// inWorkspace reports whether the go command, run in dir, would use a go.work. One that `go env -w`
// names is not looked for.
func inWorkspace(dir string) bool {
	switch named := os.Getenv("GOWORK"); named {
	case "":
		return parentWith(dir, "go.work") != ""
	default:
		return named != "off"
	}
}
