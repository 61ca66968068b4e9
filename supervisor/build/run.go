package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/goflags"
	"github.com/devguard/devguard/supervisor/goindex"
	"github.com/devguard/devguard/supervisor/logline"
	"github.com/devguard/devguard/supervisor/osproc"
)

// Request says what to build. Run keeps nothing of it.
type Request struct {
	Dir     string   // absolute: where Package is relative to, and what paths in messages are relative to
	Package string   // as `go build` takes it; "" is "."
	Out     string   // absolute path of the binary; a fresh one for each build. Its directory is made if missing
	Flags   []string // the user's go build flags; see goflags.Check
	Debug   bool     // for a debugger: with DWARF, without optimisation
	Env     []string // nil is this process's own
	Tmp     string   // absolute: a directory of ours alone, made if missing, empty when Run returns

	Sources  Sources  // files that may be written while they are compiled
	Cgo      []Cgo    // packages that the go command does not know all inputs of
	Contents Contents // of those; nil reads them all

	Again bool // a build like it was just done, so little is left to compile; see lessGC

	// Goflags is what `go env GOFLAGS` answers in Dir; nil makes Run ask. It
	// hardly ever changes: a caller that builds often asks once (see Goflags) and
	// saves 5 ms a build.
	Goflags *string

	// Objects is a directory that a build which succeeds moves the archives to that it has compiled,
	// with the file LinkedBy; "" for none. Absolute, on the file system of Tmp.
	Objects string

	// Progress is told how many of all packages the build is done with, from one
	// goroutine and never after Run has returned. To know the total, `go list`
	// runs beside the build: leave it nil unless somebody watches a first build.
	// Not used with the user's own -v.
	Progress func(done, total int)
}

// Result is what came of one build.
type Result struct {
	Out         string        // the binary, or "" if there is none
	Digest      change.Digest // of the binary, its build ID masked; comparable in this process; zero if there is none
	Took        time.Duration // until every process of the build was gone
	Link        time.Duration // of Took, since the linker began; 0 where that is not known
	Diagnostics []Diagnostic  // Output, parsed; also warnings of a build that succeeded
	Output      string        // all that the go command printed
	Err         error         // nil, or one sentence and what to do next
	Warning     error         // nil, or what did not work that the program does not depend on
	Cancelled   bool          // ctx ended first; Err is then context.Cause(ctx)
}

// killWait is how long Run waits for the output of a killed build to end. What
// still holds the pipe then is not of its process group.
const killWait = 2 * time.Second

// Run builds once. When ctx ends it kills the build and everything that the
// build started.
func Run(ctx context.Context, r Request) Result {
	begin := time.Now()
	res := run(ctx, r)
	if res.Err != nil {
		res.Out, res.Digest = "", change.Digest{}
		os.Remove(r.Out)
	}
	if err := empty(r.Tmp); err != nil && res.Err == nil {
		res.Err = fmt.Errorf("empty the build's temporary directory: %w", err)
	}
	if ctx.Err() != nil && res.Err != nil {
		res.Cancelled, res.Err = true, context.Cause(ctx)
	}
	end := time.Now()
	res.Took = end.Sub(begin)
	if began := linkBegan(res.Out); res.Err == nil && began.After(begin) && began.Before(end) {
		res.Link = end.Sub(began)
	}
	return res
}

func run(ctx context.Context, r Request) Result {
	tool, err := prepare(r)
	if err != nil {
		return Result{Err: err}
	}
	env, err := r.goflags(ctx)
	if err != nil {
		return Result{Err: err}
	}
	if goflags.Parse(r.Flags).Has("v") {
		r.Progress = nil // the names that it counts by are what the user wants to see
	}
	args, err := arguments(r, env)
	if err != nil {
		return Result{Err: err}
	}
	begin := time.Now()
	output, outdated, err := executeAgain(ctx, r, tool, args)
	forgotten := make(chan error, 1) // beside the digest: it looks at each file
	go func() { forgotten <- forgetMixed(r, begin) }()
	output = withoutWork(output, r, env)
	res := Result{Out: r.Out, Output: output, Diagnostics: Parse(output, r.Dir)}
	if err == nil {
		res.Digest, err = Digest(r.Out)
	}
	res.Err = explain(err, r, res)
	res.Warning = errors.Join(<-forgotten, outdated)
	if res.Err == nil && r.Objects != "" {
		res.Err = keepObjects(r.Tmp, r.Objects)
	}
	return res
}

// prepare checks what the go command would report badly or late.
func prepare(r Request) (tool string, err error) {
	if err := checkDir(r.Dir); err != nil {
		return "", err
	}
	if tool, err = exec.LookPath("go"); err != nil {
		return "", logline.WithHint(fmt.Errorf("no go command on PATH: %w", err), "install Go from https://go.dev/dl/ or add its bin directory to PATH")
	}
	for _, dir := range []string{r.Tmp, filepath.Dir(r.Out)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", fmt.Errorf("make a directory for the build: %w", err)
		}
	}
	return tool, nil
}

func checkDir(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return fmt.Errorf("the directory to build in is gone: %w", err)
	case !info.IsDir():
		return fmt.Errorf("the directory to build in, %s, is a file", dir)
	}
	return nil
}

// Goflags returns what the go command takes from GOFLAGS in dir: of the
// environment, else of the file that `go env -w` writes.
func Goflags(ctx context.Context, dir string, env []string) (string, error) {
	return goEnv(ctx, dir, env, "GOFLAGS")
}

// goEnv asks the go command for one of its variables.
func goEnv(ctx context.Context, dir string, env []string, name string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "env", "-json=false", name) // GOFLAGS=-json is obeyed here too
	cmd.Dir, cmd.Env = dir, environ(env, dir)
	cmd.WaitDelay = killWait
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := osproc.Run(cmd); err != nil {
		return "", fmt.Errorf("ask for %[1]s (go env %[1]s): %[2]w: %[3]s", name, err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(out.String()), nil
}

func (r Request) goflags(ctx context.Context) (string, error) {
	if r.Goflags != nil {
		return *r.Goflags, nil
	}
	return Goflags(ctx, r.Dir, r.Env)
}

func (r Request) pkg() string {
	if r.Package == "" {
		return "."
	}
	return r.Package
}

// environ is env for a go command in dir. PWD is set because the go command
// names directories by it: without it a directory that is a symbolic link
// would be called by its target here and by its name elsewhere.
func environ(env []string, dir string) []string {
	if env == nil {
		env = os.Environ()
	}
	return append(env[:len(env):len(env)], "PWD="+dir)
}

// lessGC makes the go command and its tools collect garbage less often, unless
// the user has said how often: after an edit a build takes 0.91 (of package main)
// to 0.98 (three packages) of the time. It costs memory: 42 MB instead of 30 in the
// go command, 212 instead of 191 in the linker, 672 instead of 419 in the largest
// compiler of a build from nothing. So only builds that compile little get it, and
// the limit keeps it from compilers that would take the machine. Less than 1000
// does not pay: any GOGC takes the place of what the compiler does by itself.
var lessGC = []string{"GOGC=1000", "GOMEMLIMIT=4GiB"}

// execute runs the go command in a group of its own and returns what it
// printed.
func execute(ctx context.Context, r Request, tool string, args []string) (string, error) {
	g, err := osproc.NewGroup()
	if err != nil {
		return "", fmt.Errorf("start the build: %w", err)
	}
	defer g.Close(killWait)
	// The linker and the C compiler know TMPDIR only, and leave their files
	// there when they are killed.
	env := append(environ(r.Env, r.Dir), "GOTMPDIR="+r.Tmp, "TMPDIR="+r.Tmp)
	if r.Again {
		env = append(slices.Clone(lessGC), env...) // of one name the last counts
	}
	command := func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, tool, args...)
		cmd.Dir, cmd.Env = r.Dir, env
		cmd.Cancel, cmd.WaitDelay = g.Kill, killWait
		return cmd
	}
	var out bytes.Buffer
	cmd := command(args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if r.Progress == nil {
		err = g.Run(cmd)
		return out.String(), err
	}
	list := command(listArguments(r)...)
	return watch(g, cmd, list, r)
}

// executeAgain runs the go command once more, without its index of packages, when it does not find a
// package: see goindex. outdated is not nil when that has helped.
func executeAgain(ctx context.Context, r Request, tool string, args []string) (output string, outdated, err error) {
	output, err = execute(ctx, r, tool, args)
	if err == nil || ctx.Err() != nil {
		return output, nil, err
	}
	missing := goindex.Missing(output)
	if missing == "" {
		return output, nil, err
	}
	r.Env = goindex.Without(r.Env)
	again, errAgain := execute(ctx, r, tool, args)
	switch {
	case errAgain == nil:
		return again, logline.WithHint(fmt.Errorf("the go command's index of packages is out of date, or the files were away just then; built without it: %s", missing),
			"if `go build` says so as well, touch a file of that package"), nil
	case ctx.Err() != nil || goindex.Missing(again) != "":
		return output, nil, err
	}
	return again, nil, errAgain
}

// empty removes what is in dir, so that the next build starts with all of the
// disk, and makes sure that dir is there.
func empty(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return err
}
