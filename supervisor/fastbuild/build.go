package fastbuild

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/devguard/devguard/supervisor/osproc"
)

// Target says where a build writes.
type Target struct {
	Out    string // absolute: the program
	Folder string // absolute, fresh: the objects, which the next plan needs

	// Known says that the caller has the program that the plan is of: nothing is linked when that would
	// come out again.
	Known bool

	Blind bool // for tests: no change of what a package exports is noticed
}

// Result is what a build has made.
type Result struct {
	Next     *Plan    // of the tree that was built
	Compiled []string // import paths, sorted
	Same     bool     // the program is the one that the plan was of, and is not written again

	LinkBegan time.Time
}

// build compiles the packages of the steps, and those that import what exports something else now, and
// links. With an error there is neither a program nor a folder, and the plan is as good as before;
// what the tools have printed is not shown, because the go command says it better.
func (p *Plan) build(ctx context.Context, e Edit, s Steps, t Target) (Result, error) {
	b := run{plan: s.plan, edit: e, folder: t.Folder, out: t.Out, known: t.Known, blind: t.Blind, archives: maps.Clone(p.archives)}
	err := b.do(ctx, s)
	if err != nil {
		os.Remove(t.Out)
		os.RemoveAll(t.Folder)
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return Result{}, err
	}
	res := Result{Next: s.plan.after(e, b.archives), Compiled: slices.Sorted(maps.Keys(b.made)), Same: b.same(), LinkBegan: b.linkBegan}
	res.Next.made = b.sums()
	if res.Same {
		res.Next = s.plan.after(e, p.archives) // and made is that of before
		os.RemoveAll(t.Folder)
	}
	return res, nil
}

// run is one call of build.
type run struct {
	plan   *Plan
	edit   Edit
	group  *osproc.Group
	folder string
	out    string
	known  bool
	blind  bool

	linkBegan time.Time

	mu       sync.Mutex
	archives map[string]string // by import path: the newest
	made     map[string]digest // the sums of those that were made now
	differ   bool              // one that was made is not what was there
}

// same reports whether the program of before would come out.
func (b *run) same() bool { return b.known && !b.differ }

func (b *run) do(ctx context.Context, s Steps) error {
	var err error
	if b.group, err = osproc.NewGroup(); err != nil {
		return err
	}
	defer b.group.Close(killWait)
	if err := os.MkdirAll(b.folder, 0o700); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	around := make(chan error, 1)
	go func() { // beside the tools: it takes 10 to 20 ms
		err := b.plan.Outdated(ctx, b.folder)
		if err != nil {
			cancel(err)
		}
		around <- err
	}()
	if err := b.make(ctx, s); err != nil {
		cancel(err) // somebody waits for the go command to say what is wrong
		<-around
		return context.Cause(ctx) // what came first
	}
	return <-around
}

// Outdated returns a *Refusal when what is not of the project, or the settings of the go command, are not what they
// were, and another error when that cannot be found out. tmp is a directory for the time of the call, made if missing.
func (p *Plan) Outdated(ctx context.Context, tmp string) error {
	if err := p.outside.unchanged(); err != nil {
		return err
	}
	return p.sameSettings(ctx, tmp)
}

func (b *run) make(ctx context.Context, s Steps) error {
	if err := b.writeProfile(); err != nil {
		return err
	}
	if err := b.compileAll(ctx, s); err != nil {
		return err
	}
	if !b.same() {
		if err := b.link(ctx); err != nil {
			return err
		}
	}
	for path := range b.made {
		if b.written(b.plan.byPath[path]) {
			return refuse(Written, path)
		}
	}
	return nil
}

// written reports whether a package may have been written while it was compiled.
func (b *run) written(pkg *Package) bool {
	if pkg.Local {
		return !b.edit.unchanged(pkg)
	}
	_, yes := b.plan.outside.changed(pkg.Path)
	return yes
}

// compileAll compiles in dependency order, as many packages at a time as there are processors.
func (b *run) compileAll(ctx context.Context, s Steps) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	b.made = map[string]digest{}
	exports := map[string]chan bool{} // of a package that may be compiled: whether it exports something else
	reached := b.plan.importers(s.Compile)
	for _, pkg := range reached {
		exports[pkg.Path] = make(chan bool, 1)
	}
	free := make(chan struct{}, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for _, pkg := range reached {
		wg.Go(func() {
			differs, err := b.settle(ctx, pkg, s.Compile[pkg.Path], exports, free)
			if err != nil {
				cancel(err)
			}
			exports[pkg.Path] <- differs
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// settle waits until it is known what all that a package imports exports, and compiles it when it
// must. It reports whether the package exports something else than before.
func (b *run) settle(ctx context.Context, pkg *Package, must bool, exports map[string]chan bool, free chan struct{}) (differs bool, err error) {
	for _, path := range pkg.Imports {
		if c, ok := exports[path]; ok {
			one := <-c
			c <- one // for the next importer
			must = must || one
		}
	}
	if !must || ctx.Err() != nil {
		return false, nil
	}
	if pkg.Blocked != nil {
		return false, pkg.Blocked
	}
	free <- struct{}{}
	defer func() { <-free }()
	return b.compile(ctx, pkg)
}

// compile makes a new archive of a package, and reports whether it exports something else.
func (b *run) compile(ctx context.Context, pkg *Package) (differs bool, err error) {
	id := strings.TrimPrefix(pkg.folder, work+"/")
	dir := filepath.Join(b.folder, id)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return false, err
	}
	archive := filepath.Join(dir, "_pkg_.a")
	before := b.archive(pkg.Path)
	if err := os.WriteFile(filepath.Join(dir, "importcfg"), b.importcfg(pkg), 0o600); err != nil {
		return false, err
	}
	if err := os.WriteFile(filepath.Join(dir, "embedcfg"), []byte(pkg.embed.config), 0o600); err != nil {
		return false, err
	}
	if err := b.tool(ctx, pkg.compile); err != nil {
		return false, fmt.Errorf("compile %s: %w", pkg.Path, err)
	}
	return b.take(pkg, before, archive)
}

// take takes up a new archive of a package, and reports whether it exports something else than the one before.
func (b *run) take(pkg *Package, before, archive string) (differs bool, err error) {
	was, err := exportOf(before)
	if err != nil {
		return false, err
	}
	is, err := exportOf(archive)
	if err != nil {
		return false, err
	}
	text, err := os.ReadFile(archive)
	if err != nil {
		return false, err
	}
	same := false
	if is == was && b.known {
		if same, err = sameArchive(before, archive); err != nil {
			return false, err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.archives[pkg.Path], b.made[pkg.Path] = archive, sha256.Sum256(text)
	b.differ = b.differ || !same
	return is != was && !b.blind, nil
}

func (b *run) archive(path string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.archives[path]
}

func (b *run) importcfg(pkg *Package) []byte {
	var cfg bytes.Buffer
	cfg.WriteString("# import config\n")
	for _, line := range pkg.cfg {
		cfg.WriteString(line + "\n")
	}
	for _, path := range pkg.Imports {
		fmt.Fprintf(&cfg, "%s%s=%s\n", packageFile, path, b.archive(path))
	}
	return cfg.Bytes()
}

// link links the newest archives.
func (b *run) link(ctx context.Context) error {
	b.linkBegan = time.Now()
	dir := filepath.Join(b.folder, strings.TrimPrefix(b.plan.main().folder, work+"/"))
	if err := os.MkdirAll(filepath.Join(dir, "exe"), 0o700); err != nil {
		return err
	}
	var cfg bytes.Buffer
	for _, pkg := range b.plan.packages {
		fmt.Fprintf(&cfg, "%s%s=%s\n", packageFile, pkg.Path, b.archives[pkg.Path])
	}
	for _, line := range b.plan.linkCfg {
		cfg.WriteString(line + "\n")
	}
	if err := os.WriteFile(filepath.Join(dir, "importcfg.link"), cfg.Bytes(), 0o600); err != nil {
		return err
	}
	c := b.plan.link
	c.args = slices.Clone(c.args)
	c.args[len(c.args)-1] = b.archives[b.plan.main().Path]
	c.args[slices.Index(c.args, "-o")+1] = b.out
	b.identify(c.args)
	if err := os.MkdirAll(filepath.Dir(b.out), 0o700); err != nil {
		return err
	}
	if err := b.tool(ctx, c); err != nil {
		return fmt.Errorf("link: %w", err)
	}
	return nil
}

var errPrinted = errors.New("a tool has something to say")

// tool runs one tool with the folder in the place of the go command's work directory. Whatever it
// prints is for the go command to show.
func (b *run) tool(ctx context.Context, c command) error {
	args := make([]string, len(c.args))
	for i, word := range c.args {
		args[i] = word
		if strings.Contains(word, work) {
			args[i] = strings.ReplaceAll(word, work, b.folder)
		} else if strings.HasPrefix(word, ".") {
			args[i] = c.absolute(word)
		}
	}
	dir := c.dir
	if !filepath.IsAbs(dir) { // the linker runs in "."
		dir = filepath.Join(b.plan.dir, dir)
	}
	cmd := exec.CommandContext(ctx, c.tool, args...)
	cmd.Dir = dir
	cmd.Env = slices.Concat(b.plan.env, c.env, []string{"PWD=" + dir, "TMPDIR=" + b.folder})
	cmd.Cancel, cmd.WaitDelay = b.group.Kill, killWait
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := b.group.Run(cmd)
	if err == nil && out.Len() > 0 {
		err = errPrinted
	}
	return err
}

// Make looks, decides and builds. The error is a *Refusal when the edit is not for us.
func (p *Plan) Make(ctx context.Context, t Target) (Result, error) {
	e, err := p.Look()
	if err != nil {
		return Result{}, err
	}
	s, refused := p.Decide(e)
	if refused != nil {
		return Result{}, refused
	}
	return p.build(ctx, e, s, t)
}
