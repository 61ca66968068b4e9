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

// inputsOf lists all that decides what the go command would build, but for what it takes for
// unchangeable itself: the standard library and the module cache.
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
		default:
			all[input{name, content}] = true
		}
	}
	for _, name := range pkg.embed.files {
		all[input{name, content}] = true
	}
	return pkg.embed.addDirs(all)
}

func (e embedding) addDirs(all map[input]bool) error {
	for _, dir := range e.dirs {
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
// would be nearer; go.work, or its absence in all directories above.
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
				break
			}
		}
	}
	if w := env["GOWORK"]; w != "" && w != "off" {
		all[input{w, content}] = true
		all[input{w + ".sum", content}] = true
	}
	for up := range paths.Up(dir) {
		all[input{filepath.Join(up, "go.work"), content}] = true
	}
}

// tools are the programs and settings of the toolchain, and the profile.
func (p *Plan) tools(env goEnv) []string {
	var names []string
	if p.profile != nil {
		source, _ := p.profile.value("-i")
		names = []string{p.profile.tool, p.profile.absolute(source)}
	}
	names = append(names, p.link.tool, p.main().compile.tool, filepath.Join(p.goroot, "go.env"), filepath.Join(p.goroot, "VERSION"))
	if e := env["GOENV"]; e != "" && e != "off" {
		names = append(names, e)
	}
	if tool, err := exec.LookPath("go"); err == nil {
		names = append(names, tool)
	}
	return names
}
