package fastbuild

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/devguard/devguard/supervisor/paths"
)

// Plan says how a program is compiled and linked, and what it was made of. Nobody changes a Plan:
// Make returns the next one.
type Plan struct {
	dir    string // where the go command runs
	goroot string

	packages []*Package // in an order in which what is imported comes first
	byPath   map[string]*Package
	cgo      bool     // the standard library's own C is compiled for it
	profile  *command // that prepares the profile which all packages are compiled with; nil for none
	prepared []byte   // what came of it
	link     command
	linkCfg  []string // lines without the archives: modinfo and others

	archives map[string]string // by import path; in the build cache, or ours
	made     map[string]digest // of those that were made here, by import path
	inputs   map[input]seen
	outside  outside
	env      []string // for the tools
	environ  []string // for the go command
	settings goEnv    // what that has said
}

// Package is one package of a program, as the go command compiles it.
type Package struct {
	Path    string   // import path, by which the linker knows it
	Dir     string   // of its sources
	Files   []string // sources, absolute
	Local   bool     // somebody may edit it: it is neither of the standard library nor of the module cache
	Imports []string // import paths that its importcfg names
	Blocked *Refusal // why it is never compiled here; nil when it is

	compile command
	cfg     []string // lines of importcfg that are no archives
	embed   embedding
	folder  string // $WORK/b002
}

// newPlan makes a plan of what the go command would do.
func newPlan(dry *dryRun, goroot, modcache string) (*Plan, *Refusal) {
	p := &Plan{goroot: goroot, byPath: map[string]*Package{}, link: dry.link}
	names, refused := linkNames(dry)
	if refused != nil {
		return nil, refused
	}
	for _, c := range dry.compiles {
		pkg, refused := p.newPackage(c, names, modcache)
		if refused != nil {
			return nil, refused
		}
		p.packages = append(p.packages, pkg)
		p.byPath[pkg.Path] = pkg
	}
	for _, line := range dry.linkCfg {
		if !strings.HasPrefix(line, packageFile) {
			p.linkCfg = append(p.linkCfg, line)
		}
	}
	if len(p.packages) != len(names) {
		return nil, refuse(Unknown, "a package that is linked and not compiled")
	}
	if refused := p.profiled(dry); refused != nil {
		return nil, refused
	}
	return p, p.block(dry)
}

const packageFile = "packagefile "

// linkNames maps the work folder of each package to its import path.
func linkNames(dry *dryRun) (map[string]string, *Refusal) {
	names := map[string]string{}
	for _, line := range dry.linkCfg {
		rest, ok := strings.CutPrefix(line, packageFile)
		if !ok {
			continue
		}
		path, archive, _ := strings.Cut(rest, "=")
		folder, ok := strings.CutSuffix(archive, "/_pkg_.a")
		if !ok {
			return nil, refuse(Unknown, "the archive of "+path)
		}
		names[folder] = path
	}
	return names, nil
}

func (p *Plan) newPackage(c *compilation, names map[string]string, modcache string) (*Package, *Refusal) {
	pkg := &Package{Path: names[c.folder], compile: c.command, folder: c.folder}
	if pkg.Path == "" {
		return nil, refuse(Unknown, "a package that is compiled and not linked")
	}
	if pkg.Path == "command-line-arguments" {
		return nil, refuse(Files, "")
	}
	for _, line := range c.cfg {
		rest, ok := strings.CutPrefix(line, packageFile)
		if !ok {
			pkg.cfg = append(pkg.cfg, line)
			continue
		}
		path, _, _ := strings.Cut(rest, "=")
		pkg.Imports = append(pkg.Imports, path)
	}
	sources, refused := readCompiler(pkg)
	if refused != nil {
		return nil, refused
	}
	pkg.sourcesAre(sources)
	pkg.Local = !paths.Within(pkg.Dir, p.goroot) && (modcache == "" || !paths.Within(pkg.Dir, modcache))
	return pkg, pkg.embeds(c.embed)
}

// sourcesAre takes the sources: when the go command has generated one, the package is blocked.
func (pkg *Package) sourcesAre(sources []string) {
	for _, name := range sources {
		if strings.HasPrefix(name, work) {
			pkg.Blocked = refuse(Generated, pkg.Path)
			continue
		}
		pkg.Files = append(pkg.Files, name)
		if pkg.Dir == "" {
			pkg.Dir = filepath.Dir(name)
		}
	}
}

// absolute undoes what the go command does to names below the directory that a command runs in.
func (c command) absolute(name string) string {
	if rest, ok := strings.CutPrefix(name, "."); ok {
		return filepath.Clean(c.dir + rest)
	}
	return name
}

// block marks the packages that are made of more than the compiler's own output, and refuses programs
// that a C compiler links.
func (p *Plan) block(dry *dryRun) *Refusal {
	p.cgo = len(dry.cgo) > 0
	for _, path := range dry.cgo {
		if !internalCgo[path] || p.byPath[path] == nil {
			return refuse(ExternalLink, path)
		}
		p.byPath[path].Blocked = refuse(Cgo, path)
	}
	folders := map[string]*Package{}
	for _, pkg := range p.packages {
		folders[pkg.folder+"/_pkg_.a"] = pkg
	}
	for _, add := range dry.packed {
		pkg := folders[add.archive]
		if pkg == nil {
			return refuse(Unknown, "an archive of no package")
		}
		pkg.Blocked = refuse(Assembly, pkg.Path)
		for _, name := range add.objects {
			if !strings.HasPrefix(name, work+"/") && pkg.Local {
				return refuse(ExternalLink, pkg.Path) // a .syso file
			}
		}
	}
	return readLinker(p.link)
}

// internalCgo are the packages with C that Go's own linker links. (internalpkg in cmd/link/internal/ld)
var internalCgo = map[string]bool{"net": true, "os/user": true, "runtime/cgo": true, "runtime/race": true}

// importers returns the packages, in order, that a change of these may reach: themselves and all that
// import them, directly or not.
func (p *Plan) importers(changed map[string]bool) []*Package {
	reached := maps.Clone(changed)
	var all []*Package
	for _, pkg := range p.packages {
		if !reached[pkg.Path] && !slices.ContainsFunc(pkg.Imports, func(path string) bool { return reached[path] }) {
			continue
		}
		reached[pkg.Path] = true
		all = append(all, pkg)
	}
	return all
}

// shape is that of a Go file that may be compiled.
func (p *Plan) shape(name string) Shape { return p.inputs[input{name, goSource}].shape }

// main is the package that is linked.
func (p *Plan) main() *Package { return p.packages[len(p.packages)-1] }
