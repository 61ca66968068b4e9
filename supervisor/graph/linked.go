package graph

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/devguard/devguard/supervisor/goflags"
	"github.com/devguard/devguard/supervisor/linkcost"
)

// Linked is what a program is linked of.
type Linked struct {
	Program linkcost.Program

	asker    *asker
	env      environment
	packages map[string]linked
}

// linked is one package, as go list says.
type linked struct {
	ImportPath, Dir, Export string
	DepOnly, Standard       bool
	GoFiles, CgoFiles       []string
	IgnoredGoFiles          []string
	Imports                 []string
	Module                  *module
	Error                   *listError
}

const linkedFields = "-json=ImportPath,Dir,DepOnly,Standard,GoFiles,CgoFiles,IgnoredGoFiles,Imports,Module,Error"

// LoadLinked asks the go command what the program is linked of, and builds nothing. It takes as long
// as `go list -deps`, and a little longer to find archives in the build cache: archivesWait at most,
// and where it takes longer, no package has its bytes. Its error is also about a tree that does not
// load.
func LoadLinked(ctx context.Context, r Request) (*Linked, error) {
	if r.Package == "" {
		r.Package = "."
	}
	tool, err := prepare(r)
	if err != nil {
		return nil, err
	}
	l := &Linked{asker: &asker{tool: tool, req: r}, packages: map[string]linked{}}
	var all []linked
	var listErr, envErr error
	var sizes map[string]int64
	var wg sync.WaitGroup
	wg.Go(func() { all, listErr = l.asker.linked(ctx, linkedFields) })
	wg.Go(func() { l.env, envErr = l.asker.env(ctx) })
	wg.Go(func() { sizes = l.asker.archives(ctx) })
	wg.Wait()
	if err := errors.Join(listErr, envErr); err != nil {
		return nil, err
	}
	for _, p := range all {
		if p.Error != nil {
			return nil, errors.New("the package does not load: " + p.Error.String())
		}
		l.add(p, sizes[p.ImportPath])
	}
	return l, nil
}

func (l *Linked) add(p linked, bytes int64) {
	l.packages[p.ImportPath] = p
	if !p.DepOnly {
		l.Program.Main = p.ImportPath
	}
	pkg := linkcost.Package{Path: p.ImportPath, Own: p.own(), Imports: p.Imports, Bytes: bytes}
	if p.Module != nil && !pkg.Own {
		pkg.Module = p.Module.Path
	}
	l.Program.Packages = append(l.Program.Packages, pkg)
}

// own reports whether it is of a main module, or of files that are of no module.
func (p linked) own() bool {
	return !p.Standard && (p.Module == nil || p.Module.Main)
}

// linked lists the packages of the program; more flags win over those of the request.
func (t *asker) linked(ctx context.Context, fields string, more ...string) ([]linked, error) {
	args := slices.Concat([]string{"list", "-e", "-deps", fields}, goflags.Parse(t.req.Flags).Words(goflags.Selects), more, []string{t.req.Package})
	out, err := t.run(ctx, nil, args...)
	if err != nil {
		return nil, err
	}
	return decode[linked](out)
}

// archivesWait bounds the search for archives. It takes a second for 1,400 packages, but as long as to
// read all of a tree that is not in the page cache, and that was never built.
const archivesWait = 10 * time.Second

// archives are the sizes of those that are in the build cache, by import path; with -n the go command
// compiles none.
func (t *asker) archives(ctx context.Context) map[string]int64 {
	ctx, cancel := context.WithTimeout(ctx, archivesWait)
	defer cancel()
	flags := goflags.Parse(t.req.Flags).Without("toolexec").Without("buildvcs") // neither has a say in archives
	args := slices.Concat([]string{"list", "-n", "-export", "-e", "-deps", "-json=ImportPath,Export"},
		flags.Words(goflags.Compiles, goflags.Selects, goflags.Profiles), []string{"-buildvcs=false", t.req.Package})
	out, _ := t.run(ctx, nil, args...) // what is wrong is said without -n, too
	all, _ := decode[linked](out)
	sizes := map[string]int64{}
	for _, p := range all {
		if info, err := os.Stat(p.Export); err == nil {
			path, _, _ := strings.Cut(p.ImportPath, " ") // a profile's variant has the main package behind it
			sizes[path] = info.Size()
		}
	}
	return sizes
}

// Tags are the build tags that -tags sets, of the request or of GOFLAGS.
func (l *Linked) Tags() []string {
	return goflags.Effective(l.env["GOFLAGS"], l.asker.req.Flags).Tags()
}

// With says what the program would be linked of with one more build tag: how many packages, and which
// modules. An error is that it does not load.
func (l *Linked) With(ctx context.Context, tag string) (packages int, modules []string, err error) {
	tags := append(l.Tags(), tag)
	all, err := l.asker.linked(ctx, "-json=ImportPath,Module,Error", "-tags="+strings.Join(tags, ","))
	for _, p := range all {
		if p.Error != nil {
			return 0, nil, errors.New(p.Error.String())
		}
		if p.Module != nil {
			modules = append(modules, p.Module.Path)
		}
	}
	slices.Sort(modules)
	return len(all), slices.Compact(modules), err
}
