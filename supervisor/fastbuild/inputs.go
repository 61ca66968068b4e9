package fastbuild

import (
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/devguard/devguard/supervisor/paths"
)

// inputsOf lists all that decides what the go command would build, but for the files of packages outside
// of the project: see outside.
func (p *Plan) inputsOf(dir string, env goEnv, more []string) ([]input, error) {
	all := map[input]bool{}
	for _, pkg := range p.packages {
		if !pkg.Local {
			continue
		}
		if err := pkg.addInputs(all); err != nil {
			return nil, err
		}
	}
	p.addModules(all, dir, env)
	for _, name := range append(p.tools(env), more...) {
		all[input{name, content}] = true
	}
	return slices.Collect(maps.Keys(all)), nil
}

// addInputs adds the sources of the package, all else in its directory that the go command looks at,
// and what it embeds.
func (pkg *Package) addInputs(all map[input]bool) error {
	for _, name := range pkg.Files {
		all[input{name, goSource}] = true
	}
	all[input{pkg.Dir, goNames}], all[input{pkg.Dir, testNames}] = true, true
	entries, err := os.ReadDir(pkg.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := filepath.Join(pkg.Dir, e.Name())
		switch {
		case e.IsDir(), !matters(e.Name()), all[input{name, goSource}]:
		case strings.HasSuffix(name, "_test.go"):
			all[input{name, testHeader}] = true
		case strings.HasSuffix(name, ".go"):
			all[input{name, excluded}] = true
		default:
			all[input{name, content}] = true
		}
	}
	return pkg.embed.addInputs(all)
}

func (e embedding) addInputs(all map[input]bool) error {
	for _, name := range e.files {
		all[input{name, embedded}] = true
	}
	for _, pattern := range e.patterns {
		all[input{pattern, matchNames}] = true
	}
	for _, dir := range e.parents {
		all[input{dir, embedParent}] = true
	}
	for _, dir := range e.whole {
		err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				all[input{name, allNames}] = true
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// addModules adds the module files: of each package the nearest go.mod and, as absent, those that
// would be nearer, and what else of modules comes beside it, as vendor; go.work, or its absence in all
// directories above. Modules that no package comes from the caller knows.
func (p *Plan) addModules(all map[input]bool, dir string, env goEnv) {
	dirs := map[string]bool{filepath.Dir(env["GOMOD"]): true}
	for _, pkg := range p.packages {
		if pkg.Local {
			dirs[pkg.Dir] = true
		}
	}
	for start := range dirs {
		for up := range paths.Up(start) {
			mod := filepath.Join(up, "go.mod")
			all[input{mod, content}] = true
			if _, err := os.Stat(mod); err == nil {
				all[input{filepath.Join(up, "go.sum"), content}] = true
				all[input{filepath.Join(up, "vendor", "modules.txt"), content}] = true
				all[input{up, moduleNames}] = true
				break
			}
		}
	}
	if w := env["GOWORK"]; w != "" && w != "off" {
		all[input{w, content}] = true
		all[input{w + ".sum", content}] = true
		all[input{filepath.Join(filepath.Dir(w), "vendor", "modules.txt"), content}] = true
		all[input{filepath.Dir(w), moduleNames}] = true
	}
	for up := range paths.Up(dir) {
		all[input{filepath.Join(up, "go.work"), content}] = true
	}
}

// tools are the programs and settings of the toolchain, and the profile.
func (p *Plan) tools(env goEnv) []string {
	var names []string
	if p.profile != nil {
		names = []string{p.profile.tool, p.profileSource()}
	}
	names = append(names, p.link.tool, p.main().compile.tool, filepath.Join(p.goroot, "go.env"), filepath.Join(p.goroot, "VERSION"))
	if e := env["GOENV"]; e != "" && e != "off" {
		names = append(names, e)
	}
	programs := []string{"go"}
	if words := strings.Fields(env["CC"]); p.cgo && len(words) > 0 {
		programs = append(programs, words[0])
	}
	for _, name := range programs {
		if tool, err := exec.LookPath(name); err == nil {
			names = append(names, tool)
		}
	}
	return names
}
