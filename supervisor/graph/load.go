package graph

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/devguard/devguard/supervisor/change"
)

// Request says of what to load the graph. Load keeps nothing of it.
type Request struct {
	Dir     string   // absolute: where Package is relative to
	Package string   // one package, as `go build` takes it; "" is "."
	Flags   []string // the user's go build flags; those that do not matter to the graph are left out
	Env     []string // nil is this process's own
}

// UserError is what no edit of the tree repairs: the command line or the
// machine has to change.
type UserError struct {
	What string // what is wrong, and where
	Next string // what to do
	err  error
}

func (e *UserError) Error() string { return e.What + ": " + e.Next }

// Unwrap returns the cause, if there is one.
func (e *UserError) Unwrap() error { return e.err }

// Load asks the go command. It takes as long as `go list -deps`: about 0.1 s for
// 250 packages.
//
// The graph is nil only if Dir cannot be read or there is no go command. In every
// other case it is of use, also beside an error: a *UserError, or a tree that is
// broken for now.
func Load(ctx context.Context, r Request) (*change.Graph, error) {
	if r.Package == "" {
		r.Package = "."
	}
	tool, err := prepare(r)
	if err != nil {
		return nil, err
	}
	t := &asker{tool: tool, req: r}
	a, err := t.ask(ctx)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, err
	}
	return newCollector(r, a).collect(), a.wrong(r)
}

func prepare(r Request) (tool string, err error) {
	if info, err := os.Stat(r.Dir); err != nil {
		return "", &UserError{"the working directory cannot be read", err.Error(), err}
	} else if !info.IsDir() {
		return "", &UserError{r.Dir + " is not a directory", "start devguard in the directory of your module", nil}
	}
	if tool, err = exec.LookPath("go"); err != nil {
		return "", &UserError{"there is no go command on PATH", "install Go from https://go.dev/dl/ or add its bin directory to PATH", err}
	}
	return tool, nil
}

// answer is all that the go command said.
type answer struct {
	env      environment
	packages []listed
	listErr  error   // go list as a whole failed
	modules  modules // go.mod of the main module
	work     modules // go.work
}

// ask runs what can be run side by side.
func (t *asker) ask(ctx context.Context) (*answer, error) {
	a := &answer{}
	var envErr error
	var wg sync.WaitGroup
	wg.Go(func() { a.packages, a.listErr = t.list(ctx) })
	if a.env, envErr = t.env(ctx); envErr == nil {
		if a.env.mod() != "" {
			wg.Go(func() { a.modules = t.modules(ctx, "mod", a.env.mod()) })
		}
		if a.env.work() != "" {
			wg.Go(func() { a.work = t.modules(ctx, "work", a.env.work()) })
		}
	}
	wg.Wait()
	return a, envErr
}

// wrong returns what to tell the user, nil if the graph is whole.
func (a *answer) wrong(r Request) error {
	if err := a.env.runsHere(); err != nil {
		return err
	}
	if a.env.mod() == "" && a.env.work() == "" && a.listErr != nil {
		return &UserError{"there is no go.mod in " + r.Dir + " or above",
			"start devguard in your module (or with -C DIR), or make one with `go mod init NAME`", a.listErr}
	}
	if a.listErr != nil {
		return a.listErr
	}
	roots := a.roots()
	switch {
	case len(roots) == 0:
		return &UserError{r.Package + " matches no package", "name the directory of your main package, as in ./cmd/app", nil}
	case len(roots) > 1:
		return &UserError{fmt.Sprintf("%s matches %d packages (%s, %s ...)", r.Package, len(roots), roots[0].ImportPath, roots[1].ImportPath),
			"name one", nil}
	}
	root := roots[0]
	if root.Error != nil && root.Dir == "" {
		return &UserError{"package " + r.Package + " not found: " + root.Error.Err, "name the directory of your main package, as in ./cmd/app", nil}
	}
	if root.Error == nil && root.Name != "main" {
		return &UserError{fmt.Sprintf("%s is package %s, not main, so it cannot be run", r.Package, root.Name),
			"name the directory of a main package, as in ./cmd/app", nil}
	}
	return a.broken()
}

// roots are the packages that were asked for, not only needed.
func (a *answer) roots() []listed {
	var roots []listed
	for _, p := range a.packages {
		if !p.DepOnly {
			roots = append(roots, p)
		}
	}
	return roots
}

// broken returns the first thing wrong with the packages, and how many more there
// are.
func (a *answer) broken() error {
	var first string
	more := 0
	for _, p := range a.packages {
		switch {
		case p.Error == nil:
		case first == "":
			first = p.Error.String()
		default:
			more++
		}
	}
	switch {
	case first == "":
		return nil
	case more > 0:
		return fmt.Errorf("the package does not load: %s (and %d more)", first, more)
	}
	return errors.New("the package does not load: " + first)
}

// packageDir is where the package asked for would be, "" if it is given by an
// import path of another module.
func (a *answer) packageDir(r Request) string {
	switch {
	case filepath.IsAbs(r.Package):
		return r.Package
	case r.Package == "." || r.Package == ".." || strings.HasPrefix(r.Package, "./") || strings.HasPrefix(r.Package, "../"):
		return filepath.Join(r.Dir, r.Package)
	}
	return a.ownDir(r.Package)
}

// ownDir is where a package of the main module or of a local replacement would
// be, "" if it is of neither.
func (a *answer) ownDir(path string) string {
	for _, m := range a.localModules() {
		if path == m.path {
			return m.dir
		}
		if rest, ok := strings.CutPrefix(path, m.path+"/"); ok {
			return filepath.Join(m.dir, filepath.FromSlash(rest))
		}
	}
	return ""
}
