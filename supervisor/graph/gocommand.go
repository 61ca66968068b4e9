package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/devguard/devguard/supervisor/goflags"
	"github.com/devguard/devguard/supervisor/goindex"
	"github.com/devguard/devguard/supervisor/osproc"
	"github.com/devguard/devguard/supervisor/paths"
)

// asker runs go commands for one Request.
type asker struct {
	tool string
	req  Request
}

// run runs one go command, with env added to its environment, and returns what it printed. The
// command is killed when ctx ends, and on Linux when devguard does; elsewhere it ends by itself, at
// the latest when nobody reads what it prints.
func (t *asker) run(ctx context.Context, env []string, args ...string) ([]byte, error) {
	// The signal comes when the thread that started the command ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, t.tool, args...)
	cmd.Dir, cmd.Env = t.req.Dir, t.req.Env
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	// With less garbage collection go list is a fifth faster, for 10 MB; a GOGC of the user's wins.
	// PWD is by which name the go command knows its directory, when symbolic links give it several.
	cmd.Env = slices.Concat([]string{"GOGC=400"}, cmd.Env, []string{"PWD=" + t.req.Dir}, env)
	osproc.EndWithParent(cmd, syscall.SIGKILL)
	cmd.WaitDelay = 2 * time.Second // for what a killed command has started (git)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err := osproc.Run(cmd)
	if text := strings.TrimSpace(stderr.String()); err != nil && text != "" {
		err = errors.New(text)
	}
	return out.Bytes(), err
}

// environment is what `go env` says.
type environment map[string]string

// envNames are the settings that a graph depends on.
var envNames = []string{"GOARCH", "GOAMD64", "GOEXPERIMENT", "GOFLAGS", "GOHOSTARCH", "GOMOD", "GOMODCACHE", "GOOS", "GOROOT", "GOVERSION",
	"GOWORK", "CGO_ENABLED", "CGO_CPPFLAGS", "CGO_CFLAGS", "CGO_CXXFLAGS", "CGO_LDFLAGS"}

func (t *asker) env(ctx context.Context) (environment, error) {
	out, err := t.run(ctx, nil, append([]string{"env", "-json"}, envNames...)...)
	if err != nil {
		return nil, fmt.Errorf("ask the go command for its settings (go env): %w", err)
	}
	var e environment
	if err := json.Unmarshal(out, &e); err != nil {
		return nil, fmt.Errorf("read the answer of go env: %w", err)
	}
	return e, nil
}

// guess is what can be said without the go command, which answers nothing at all while go.mod asks
// for a toolchain that cannot be fetched.
func guess(dir string) environment {
	return environment{"GOOS": runtime.GOOS, "GOARCH": runtime.GOARCH, "GOHOSTARCH": runtime.GOARCH, "GOVERSION": runtime.Version(),
		"CGO_ENABLED": "1", "GOMOD": above(dir, "go.mod"), "GOWORK": above(dir, "go.work")}
}

// above finds a file in dir or the nearest parent, "" if there is none.
func above(dir, name string) string {
	for up := range paths.Up(dir) {
		file := filepath.Join(up, name)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
			return file
		}
	}
	return ""
}

// mod is the go.mod of the main module, "" if there is none.
func (e environment) mod() string {
	if m := e["GOMOD"]; m != os.DevNull && m != "NUL" {
		return m
	}
	return ""
}

// work is the go.work in use, "" if there is none.
func (e environment) work() string {
	if w := e["GOWORK"]; w != "off" {
		return w
	}
	return ""
}

// runsOn are the architectures whose programs a host of another one also runs.
var runsOn = map[string][]string{"amd64": {"386"}, "arm64": {"arm", "amd64"}}

// runsHere is an error when the program would not run on this machine.
func (e environment) runsHere() error {
	host := e["GOHOSTARCH"]
	if e["GOOS"] == runtime.GOOS && (host == "" || e["GOARCH"] == host || slices.Contains(runsOn[host], e["GOARCH"])) {
		return nil
	}
	return &UserError{fmt.Sprintf("the go command builds for %s/%s, which does not run on this %s/%s machine",
		e["GOOS"], e["GOARCH"], runtime.GOOS, host),
		"unset GOOS and GOARCH for devguard, or, if they were set with `go env -w`, run `go env -u GOOS GOARCH`", nil}
}

// listed is one package, as go list says. There are few fields on purpose: some cost a staleness
// check of every package (Stale, DepsErrors), and CompiledGoFiles runs cgo.
type listed struct {
	ImportPath, Dir, Name                            string
	DepOnly, Standard                                bool
	GoFiles, CgoFiles, InvalidGoFiles                []string
	CFiles, CXXFiles, MFiles, HFiles, FFiles, SFiles []string
	SwigFiles, SwigCXXFiles, SysoFiles               []string
	CgoCPPFLAGS, CgoCFLAGS, CgoCXXFLAGS, CgoLDFLAGS  []string
	CgoPkgConfig                                     []string
	EmbedFiles, EmbedPatterns                        []string
	IgnoredGoFiles, IgnoredOtherFiles                []string
	Module                                           *module
	Error                                            *listError
}

const listFields = "ImportPath,Dir,Name,DepOnly,Standard,GoFiles,CgoFiles,InvalidGoFiles,CFiles,CXXFiles,MFiles,HFiles,FFiles,SFiles," +
	"SwigFiles,SwigCXXFiles,SysoFiles,CgoCPPFLAGS,CgoCFLAGS,CgoCXXFLAGS,CgoLDFLAGS,CgoPkgConfig,EmbedFiles,EmbedPatterns,IgnoredGoFiles,IgnoredOtherFiles,Module,Error"

type module struct {
	Path, Dir string
	Main      bool
	Replace   *module
}

type listError struct{ Pos, Err string }

func (e *listError) String() string {
	if e.Pos == "" {
		return e.Err
	}
	return e.Pos + ": " + e.Err
}

// list runs go list. An error is about the whole: go.mod does not parse, a flag is wrong. What is
// wrong with one package is in its Error.
func (t *asker) list(ctx context.Context) ([]listed, error) {
	all, err := t.listOnce(ctx)
	if ctx.Err() != nil || !mayBeOutdated(all) {
		return all, err
	}
	without := *t
	without.req.Env = goindex.Without(t.req.Env)
	return without.listOnce(ctx)
}

// mayBeOutdated reports whether a package that is not found may be there all the same: see goindex.
func mayBeOutdated(all []listed) bool {
	return slices.ContainsFunc(all, func(p listed) bool { return p.Error != nil && goindex.Missing(p.Error.Err) != "" })
}

func (t *asker) listOnce(ctx context.Context) ([]listed, error) {
	args := append([]string{"list", "-e", "-deps", "-json=" + listFields}, goflags.Parse(t.req.Flags).Words(goflags.Selects)...)
	out, runErr := t.run(ctx, nil, append(args, t.req.Package)...)
	all, err := decode[listed](out)
	if err != nil {
		return all, errors.Join(runErr, err)
	}
	if runErr != nil {
		return all, fmt.Errorf("the package does not load: %w", runErr)
	}
	return all, nil
}

// decode reads what go list prints with -json, up to what cannot be read.
func decode[T any](out []byte) (all []T, err error) {
	dec := json.NewDecoder(bytes.NewReader(out))
	for {
		var p T
		err := dec.Decode(&p)
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, fmt.Errorf("read the answer of go list: %w", err)
		}
		all = append(all, p)
	}
}

// modules is what `go mod edit -json` and `go work edit -json` say about modules in directories of
// this machine.
type modules struct {
	self  string // module path of a go.mod
	local []localModule
}

type localModule struct{ path, dir string }

// modules reads one file. It returns nothing when that does not parse, which go list reports too.
// No other toolchain than the one at hand is needed for it.
func (t *asker) modules(ctx context.Context, kind, file string) modules {
	out, err := t.run(ctx, []string{"GOTOOLCHAIN=local"}, kind, "edit", "-json", file)
	if err != nil {
		return modules{}
	}
	var f struct {
		Module  struct{ Path string }
		Use     []struct{ DiskPath, ModulePath string }
		Replace []struct {
			Old struct{ Path string }
			New struct{ Path, Version string }
		}
	}
	if json.Unmarshal(out, &f) != nil {
		return modules{}
	}
	m := modules{self: f.Module.Path}
	add := func(path, dir string) {
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(filepath.Dir(file), filepath.FromSlash(dir))
		}
		m.local = append(m.local, localModule{path, dir})
	}
	for _, u := range f.Use {
		add(u.ModulePath, u.DiskPath)
	}
	for _, r := range f.Replace {
		if r.New.Version == "" {
			add(r.Old.Path, r.New.Path)
		}
	}
	return m
}

// localModules are the main module, the modules in directories that go.mod and go.work name, and
// those that packages came from. The longest path is first: of several, it is the one that a
// package is in.
func (a *answer) localModules() []localModule {
	var all []localModule
	if mod := a.env.mod(); mod != "" && a.modules.self != "" {
		all = append(all, localModule{a.modules.self, filepath.Dir(mod)})
	}
	for _, m := range slices.Concat(a.modules.local, a.work.local) {
		if m.path != "" {
			all = append(all, m)
		}
	}
	for _, p := range a.packages {
		if m := p.Module; m != nil && m.Main && m.Dir != "" {
			all = append(all, localModule{m.Path, m.Dir})
		}
	}
	slices.SortStableFunc(all, func(x, y localModule) int { return len(y.path) - len(x.path) })
	return all
}
