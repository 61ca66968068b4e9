package graph

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/devguard/devguard/supervisor/classify"
	"github.com/devguard/devguard/supervisor/goflags"
	"github.com/devguard/devguard/supervisor/paths"
)

// collector makes a Graph of an answer.
type collector struct {
	req   Request
	a     *answer
	flags goflags.Flags // also those of GOFLAGS
	graph *classify.Graph
	roots map[string]bool // in graph.Roots
}

func newCollector(r Request, a *answer) *collector {
	flags := goflags.Effective(a.env["GOFLAGS"], r.Flags)
	return &collector{
		req: r, a: a, flags: flags,
		graph: &classify.Graph{Files: map[string]classify.Role{}, Dirs: map[string]classify.Dir{}, Match: matcher(a.env, flags)},
		roots: map[string]bool{},
	}
}

func (c *collector) collect() *classify.Graph {
	if mod := c.a.env.mod(); mod != "" {
		c.root(filepath.Dir(mod))
	}
	for _, p := range c.a.packages {
		c.add(p)
	}
	c.namePackage()
	c.addPackageAsked()
	for _, m := range c.a.localModules() {
		c.moduleFiles(m.dir) // also of those that no package comes from: they have a say in versions
	}
	for _, m := range c.a.work.local {
		c.moduleFiles(m.dir)
	}
	c.workFiles()
	c.flagFiles()
	for path, d := range c.graph.Dirs {
		if d.Package == c.graph.Package {
			c.graph.MainDir = path
		}
	}
	return c.graph
}

// named sets the import path of what is built. When go list cannot say, it is the one that the
// directory would have.
func (c *collector) namePackage() {
	for _, p := range c.a.roots() {
		c.graph.Package = p.ImportPath
	}
	if dir := c.a.packageDir(c.req); dir != "" && (c.graph.Package == "" || strings.HasPrefix(c.graph.Package, ".")) {
		c.graph.Package = c.a.importPath(dir)
	}
}

// add adds a package, if it is the user's.
func (c *collector) add(p listed) {
	if !p.Standard {
		c.graph.Imports = append(c.graph.Imports, p.ImportPath)
	}
	if p.Dir == "" {
		if dir := c.a.ownDir(p.ImportPath); dir != "" && !p.Standard {
			c.dir(dir, p.ImportPath, nil) // an import whose directory or files are missing
		}
		return
	}
	if p.Standard || c.foreign(p.Dir) {
		return
	}
	pkg := p.ImportPath
	if strings.HasPrefix(pkg, ".") {
		pkg = c.a.importPath(p.Dir) // a directory that go list could not load
	}
	c.dir(p.Dir, pkg, p.EmbedPatterns)
	if m := p.Module; m != nil {
		if m.Replace != nil {
			m = m.Replace
		}
		if m.Dir != "" && !c.foreign(m.Dir) {
			c.root(m.Dir)
		}
	}
	c.files(p.Dir, classify.Excluded, p.IgnoredGoFiles, p.IgnoredOtherFiles)
	c.files(p.Dir, classify.Embedded, p.EmbedFiles)
	c.files(p.Dir, classify.OtherSource, p.CFiles, p.CXXFiles, p.MFiles, p.HFiles, p.FFiles, p.SFiles,
		p.SwigFiles, p.SwigCXXFiles, p.SysoFiles)
	c.cgo(p, pkg)
	c.files(p.Dir, classify.GoFile, p.GoFiles, p.CgoFiles, p.InvalidGoFiles) // last: also what is embedded as well
}

// foreign reports whether dir is in the toolchain or in the module cache, whose files do not
// change.
func (c *collector) foreign(dir string) bool {
	for _, of := range []string{c.a.env["GOROOT"], c.a.env["GOMODCACHE"]} {
		if _, ok := paths.Rel(of, dir); ok {
			return true
		}
	}
	return false
}

func (c *collector) dir(path, pkg string, patterns []string) {
	if _, ok := c.graph.Dirs[path]; !ok {
		c.graph.Dirs[path] = classify.Dir{Package: pkg, Embeds: patterns}
	}
}

func (c *collector) files(dir string, role classify.Role, lists ...[]string) {
	for _, name := range slices.Concat(lists...) {
		c.graph.Files[inDir(dir, name)] = role
	}
}

// addPackageAsked adds the directory of the package itself when go list knows nothing of it, with
// the Go files that are there.
func (c *collector) addPackageAsked() {
	dir := c.a.packageDir(c.req)
	if strings.HasSuffix(dir, ".go") {
		dir = filepath.Dir(dir)
	}
	if _, known := c.graph.Dirs[dir]; dir == "" || known || strings.Contains(dir, "...") || c.foreign(dir) {
		return
	}
	c.dir(dir, c.graph.Package, nil)
	if len(c.a.packages) > 1 {
		return
	}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		name := e.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || e.IsDir() {
			continue
		}
		role := classify.Excluded
		if c.graph.Match(dir, name) {
			role = classify.GoFile
		}
		c.graph.Files[filepath.Join(dir, name)] = role
	}
}

// root adds a module that packages come from.
func (c *collector) root(dir string) {
	if c.roots[dir] {
		return
	}
	c.roots[dir] = true
	c.graph.Roots = append(c.graph.Roots, dir)
	c.moduleFiles(dir)
}

func (c *collector) moduleFiles(dir string) {
	c.files(dir, classify.Module, []string{"go.mod", "go.sum"})
}

// workFiles adds what is beside the main module's go.mod, and go.work: the one in use, else each
// place up to the repository's root where the go command would find one.
func (c *collector) workFiles() {
	mod, work := c.a.env.mod(), c.a.env.work()
	if mod != "" {
		c.files(filepath.Dir(mod), classify.Module, []string{"vendor/modules.txt"})
	}
	switch {
	case work != "":
		c.files(filepath.Dir(work), classify.Module, []string{filepath.Base(work), "go.work.sum", "vendor/modules.txt"})
	case c.a.env["GOWORK"] == "off":
	default:
		for _, dir := range upToRepository(c.req.Dir) {
			c.files(dir, classify.Module, []string{"go.work"})
		}
	}
	if mod == "" && work == "" {
		c.files(c.req.Dir, classify.Module, []string{"go.mod"})
	}
}

// upToRepository returns dir and the directories above it up to the one that has a .git. If none
// has, it returns dir alone: what is above a project without a repository is not ours to watch.
func upToRepository(dir string) []string {
	var dirs []string
	for up := range paths.Up(dir) {
		dirs = append(dirs, up)
		if _, err := os.Lstat(filepath.Join(up, ".git")); err == nil {
			return dirs
		}
	}
	return []string{dir}
}

// flagFiles adds the files that build flags name, and the profile that the go command takes by
// itself.
func (c *collector) flagFiles() {
	if f := c.flags.Value("modfile"); f != "" {
		c.files(c.req.Dir, classify.Module, []string{f, strings.TrimSuffix(f, ".mod") + ".sum"})
	}
	if f := c.flags.Value("overlay"); f != "" {
		c.files(c.req.Dir, classify.Module, []string{f})
		c.overlay(f)
	}
	switch f := c.flags.Value("pgo"); f {
	case "off":
	case "", "auto":
		if dir := c.a.packageDir(c.req); dir != "" {
			c.files(dir, classify.Profile, []string{"default.pgo"})
		}
	default:
		c.files(c.req.Dir, classify.Profile, []string{f})
	}
}

// overlay adds the files that take the place of others.
func (c *collector) overlay(name string) {
	if !filepath.IsAbs(name) {
		name = filepath.Join(c.req.Dir, name)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return // the build says so
	}
	var o struct{ Replace map[string]string }
	if json.Unmarshal(b, &o) != nil {
		return
	}
	for from, to := range o.Replace {
		if to == "" {
			continue // stands for a deleted file
		}
		if !filepath.IsAbs(from) {
			from = filepath.Join(c.req.Dir, from)
		}
		role := c.graph.Files[from]
		if role == 0 {
			role = classify.OtherSource
		}
		c.files(c.req.Dir, role, []string{to})
	}
}

// Union is the graph to watch while the tree does not load: what could be had of the new state
// (next), and all of the old one, so that a repair is seen wherever it is made. Either may be nil.
func Union(old, next *classify.Graph) *classify.Graph {
	if old == nil || next == nil {
		if old == nil {
			return next
		}
		return old
	}
	u := &classify.Graph{
		Package: next.Package, MainDir: next.MainDir, Imports: next.Imports,
		Files: map[string]classify.Role{}, Dirs: map[string]classify.Dir{}, Match: next.Match,
	}
	if u.Package == "" {
		u.Package, u.MainDir = old.Package, old.MainDir
	}
	for _, path := range old.Imports {
		if !slices.Contains(u.Imports, path) {
			u.Imports = append(u.Imports[:len(u.Imports):len(u.Imports)], path)
		}
	}
	for _, g := range []*classify.Graph{next, old} {
		for name, role := range g.Files {
			if _, ok := u.Files[name]; !ok {
				u.Files[name] = role
			}
		}
		for path, d := range g.Dirs {
			if _, ok := u.Dirs[path]; !ok {
				u.Dirs[path] = d
			}
		}
		for _, of := range g.Cgo {
			if !slices.ContainsFunc(u.Cgo, func(c classify.Cgo) bool { return c.Package == of.Package }) {
				u.Cgo = append(u.Cgo, of)
			}
		}
		for _, r := range g.Roots {
			if !slices.Contains(u.Roots, r) {
				u.Roots = append(u.Roots, r)
			}
		}
	}
	return u
}
