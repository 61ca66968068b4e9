package graph

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"github.com/devguard/devguard/supervisor/classify"
	"github.com/devguard/devguard/supervisor/paths"
)

// Request says of what to load the graph. Load keeps nothing of it.
type Request struct {
	Dir     string   // absolute: where Package is relative to
	Package string   // one package, as `go build` takes it; "" is "."
	Flags   []string // the user's go build flags; those that do not matter to the graph are left out
	Env     []string // nil is this process's own
}

// UserError is an error that no edit of the tree repairs: the command line or the machine has to
// change.
type UserError struct {
	What string // what is wrong, and where
	Next string // what to do
	err  error
}

// Error says what is wrong.
func (e *UserError) Error() string { return e.What }

// Hint says what to do next, or is empty.
func (e *UserError) Hint() string { return e.Next }

// Unwrap returns the cause, if there is one.
func (e *UserError) Unwrap() error { return e.err }

// Fatal reports whether err is a *UserError. At devguard's start there is nothing to wait for then.
// Later the old graph is still watched, because a branch switch may take the package away and bring
// it back.
func Fatal(err error) bool {
	var user *UserError
	return errors.As(err, &user)
}

// Load asks the go command. It takes as long as `go list -deps`: about 0.1 s for 250 packages.
//
// The graph is nil only if ctx ends, Dir cannot be read or there is no go command. In every other
// case it is of use, also beside an error: a *UserError, or a tree that is broken for now.
func Load(ctx context.Context, r Request) (*classify.Graph, error) {
	if r.Package == "" {
		r.Package = "."
	}
	tool, err := prepare(r)
	if err != nil {
		return nil, err
	}
	t := &asker{tool: tool, req: r}
	a := t.ask(ctx)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return newCollector(r, a).collect(), a.wrong(r)
}

func prepare(r Request) (tool string, err error) {
	if info, err := os.Stat(r.Dir); err != nil {
		return "", &UserError{"the working directory cannot be read: " + err.Error(), "", err}
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
	envErr   error // go env failed, and env is guessed
	packages []listed
	listErr  error   // go list as a whole failed
	modules  modules // go.mod of the main module
	work     modules // go.work
}

// ask runs what can be run side by side.
func (t *asker) ask(ctx context.Context) *answer {
	a := &answer{}
	var wg sync.WaitGroup
	wg.Go(func() { a.packages, a.listErr = t.list(ctx) })
	if a.env, a.envErr = t.env(ctx); a.envErr != nil {
		a.env = guess(t.req.Dir)
	}
	if mod := a.env.mod(); mod != "" {
		wg.Go(func() { a.modules = t.modules(ctx, "mod", mod) })
	}
	if work := a.env.work(); work != "" {
		wg.Go(func() { a.work = t.modules(ctx, "work", work) })
	}
	wg.Wait()
	return a
}

// wrong returns what to tell the user, nil if the graph is whole.
func (a *answer) wrong(r Request) error {
	if a.envErr != nil {
		return a.envErr
	}
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
	if err := a.wrongPackage(r); err != nil {
		return err
	}
	return a.broken()
}

// wrongPackage is an error when what was asked for is not one main package.
func (a *answer) wrongPackage(r Request) error {
	const next = "name the directory of your main package, as in ./cmd/app"
	roots := a.roots()
	switch len(roots) {
	case 0:
		return &UserError{r.Package + " matches no package", next, nil}
	case 1:
	default:
		return &UserError{fmt.Sprintf("%s matches %d packages (%s, %s ...)", r.Package, len(roots), roots[0].ImportPath, roots[1].ImportPath),
			"name one, like ./cmd/app", nil}
	}
	root := roots[0]
	switch {
	case root.Error != nil && root.Dir == "" && a.isDir(r):
		return &UserError{"there is no package with the import path " + r.Package, "write ./" + r.Package + " for the directory", nil}
	case root.Error != nil && root.Dir == "":
		return &UserError{"package " + r.Package + " not found: " + root.Error.Err, next, nil}
	case root.Error == nil && root.Name != "main":
		return &UserError{fmt.Sprintf("%s is package %s, not main, so it cannot be run", r.Package, root.Name), next, nil}
	}
	return nil
}

// isDir reports whether the package is given as a directory without ./ before it, which the go
// command takes for an import path.
func (a *answer) isDir(r Request) bool {
	return a.packageDir(r) == "" && isDir(filepath.Join(r.Dir, r.Package))
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

// broken returns the first thing wrong with the packages, and how many more there are.
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

// packageDir is where the package asked for would be, "" if it is given by an import path of
// another module.
func (a *answer) packageDir(r Request) string {
	switch {
	case filepath.IsAbs(r.Package):
		return r.Package
	case r.Package == "." || r.Package == ".." || strings.HasPrefix(r.Package, "./") || strings.HasPrefix(r.Package, "../"):
		return filepath.Join(r.Dir, r.Package)
	}
	return a.ownDir(r.Package)
}

// importPath is the reverse of ownDir; of a directory of no known module it is the last element,
// which is at least what the program is called.
func (a *answer) importPath(dir string) string {
	for _, m := range a.localModules() {
		if rel, ok := paths.Rel(m.dir, dir); ok {
			return path.Join(m.path, filepath.ToSlash(rel))
		}
	}
	return filepath.Base(dir)
}

// ownDir is where a package of the main module or of a local replacement would be, "" if it is of
// neither.
func (a *answer) ownDir(pkg string) string {
	for _, m := range a.localModules() {
		if pkg == m.path {
			return m.dir
		}
		if rest, ok := strings.CutPrefix(pkg, m.path+"/"); ok {
			return filepath.Join(m.dir, filepath.FromSlash(rest))
		}
	}
	return ""
}
