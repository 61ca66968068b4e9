package fastbuild

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/devguard/devguard/supervisor/goflags"
	"github.com/devguard/devguard/supervisor/goindex"
	"github.com/devguard/devguard/supervisor/osproc"
)

// Request says of which build to record the plan. Record keeps nothing of it but names.
type Request struct {
	Dir     string   // absolute: where Package is relative to
	Package string   // as `go build` takes it
	Flags   []string // all that the build was given, but for -o
	Goflags string   // what the go command takes from GOFLAGS
	Env     []string // nil is this process's own
	Tmp     string   // absolute: a directory for the time of the call, made if missing
	Files   []string // absolute: more that the build depends on, and the go command does not know of

	Linked string    // the importcfg that the build has linked by; the archives that it names stay
	Began  time.Time // of that build: what was written since is not known to be in it
	Before Names     // of directories, read before it; may be nil

	// Same reports whether a program is the one that the build has made.
	Same func(program string) (bool, error)
}

// Survey asks the go command how it would build the package, to say of files what an edit would lead
// to. Nothing can be built by such a plan. Linked, Began and Same are not needed. The error is a
// *Refusal when nothing of such a program is built without the go command.
func Survey(ctx context.Context, r Request) (*Plan, error) {
	return r.inGroup(ctx, func(g *osproc.Group, env goEnv) (*Plan, error) {
		p, err := r.plan(ctx, g, env)
		if err != nil {
			return nil, err
		}
		return p, r.takeInputs(p, env)
	})
}

// Record asks the go command how it would build the package from nothing, takes that together with
// what a build has linked, and links once, to see that the program comes out which that build has
// made. The error is a *Refusal when there is no plan for such a program.
func Record(ctx context.Context, r Request) (*Plan, error) {
	return r.inGroup(ctx, func(g *osproc.Group, env goEnv) (*Plan, error) {
		p, err := r.plan(ctx, g, env)
		if err != nil {
			return nil, err
		}
		if err := r.takeArchives(p); err != nil {
			return nil, err
		}
		if err := r.takeInputs(p, env); err != nil {
			return nil, err
		}
		if name, yes := written(p.inputs, r.Began, r.Before); yes {
			return nil, refuse(Written, name)
		}
		if err := p.takeOutside(r.Began); err != nil {
			return nil, err
		}
		return p, r.check(ctx, g, p)
	})
}

// inGroup calls do unless the request is refused at once.
func (r Request) inGroup(ctx context.Context, do func(*osproc.Group, goEnv) (*Plan, error)) (*Plan, error) {
	if err := r.refused(); err != nil {
		return nil, err
	}
	g, err := osproc.NewGroup()
	if err != nil {
		return nil, fmt.Errorf("ask how the program is built: %w", err)
	}
	defer g.Close(killWait)
	env, err := r.goEnv(ctx, g)
	if err != nil {
		return nil, err
	}
	p, err := do(g, env)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// allowed are the flags that are known to leave nothing to the go command which the plan has not.
var allowed = []string{"a", "buildmode", "buildvcs", "gcflags", "json", "ldflags", "mod", "modcacherw", "n", "p", "pgo", "race", "tags", "trimpath", "v", "work", "x"}

func (r Request) refused() error {
	if !supported {
		return refuse(System, "")
	}
	for _, f := range goflags.Effective(r.Goflags, r.Flags) {
		if !slices.Contains(allowed, f.Name) {
			return refuse(Flag, "-"+f.Name)
		}
		if strings.Contains(f.Value, work) {
			return refuse(Flag, "-"+f.Name+" with "+work)
		}
	}
	for _, entry := range environ(r.Env) {
		if name, value, _ := strings.Cut(entry, "="); value != "" && (name == "GOCACHEPROG" || name == "GO_EXTLINK_ENABLED") {
			return refuse(Setting, name)
		}
	}
	return nil
}

func environ(env []string) []string {
	if env == nil {
		return os.Environ()
	}
	return env
}

// killWait is how long Record and Make wait for the output of what they have killed.
const killWait = 2 * time.Second

// run runs one go command.
func (r Request) run(ctx context.Context, g *osproc.Group, args ...string) (stdout, stderr []byte, err error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = r.Dir
	cmd.Env = append(slices.Clip(environ(r.Env)), "PWD="+r.Dir, "GOTMPDIR="+r.Tmp, "TMPDIR="+r.Tmp)
	cmd.Cancel, cmd.WaitDelay = g.Kill, killWait
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := os.MkdirAll(r.Tmp, 0o700); err != nil {
		return nil, nil, err
	}
	if err := g.Run(cmd); err != nil {
		last := strings.TrimSpace(errs.String())
		return nil, nil, fmt.Errorf("go %s: %w: %s", args[0], err, last[max(0, len(last)-300):])
	}
	return out.Bytes(), errs.Bytes(), nil
}

func (r Request) plan(ctx context.Context, g *osproc.Group, env goEnv) (*Plan, error) {
	args := append([]string{"build"}, r.Flags...)
	args = append(args, "-n", "-a", "-v=false", "-x=false", "-o", filepath.Join(r.Tmp, "program"), cmp.Or(r.Package, "."))
	_, text, err := r.run(ctx, g, args...)
	if err != nil && goindex.Missing(err.Error()) != "" { // by an outdated index: it is built all the same
		without := r
		without.Env = goindex.Without(r.Env)
		_, text, err = without.run(ctx, g, args...)
	}
	if err != nil {
		return nil, err
	}
	dry, refused := readDryRun(string(text))
	if refused != nil {
		return nil, refused
	}
	p, refused := newPlan(dry, env["GOROOT"], env["GOMODCACHE"])
	if refused != nil {
		return nil, refused
	}
	if slices.ContainsFunc(p.linkCfg, func(line string) bool { return strings.Contains(line, `\tvcs`) }) {
		return nil, refuse(Stamped, "-buildvcs")
	}
	p.dir, p.environ, p.settings = r.Dir, environ(r.Env), env.settled()
	p.env = toolEnv(p.environ, env)
	return p, nil
}

// toolEnv is the environment that the go command gives to its tools. (main and MkEnv in cmd/go)
func toolEnv(environ []string, env goEnv) []string {
	out := slices.Clone(environ)
	for name, value := range env {
		if value != "" && name != "GOGCCFLAGS" {
			out = append(out, name+"="+value)
		}
	}
	return out
}

// takeArchives takes over what the build has linked: the same packages, and the same settings.
func (r Request) takeArchives(p *Plan) error {
	cfg, err := os.ReadFile(r.Linked)
	if err != nil {
		return fmt.Errorf("read what the build has linked: %w", err)
	}
	p.archives = map[string]string{}
	var others []string
	for _, line := range configLines(string(cfg)) {
		rest, ok := strings.CutPrefix(line, packageFile)
		if !ok {
			others = append(others, line)
			continue
		}
		path, archive, _ := strings.Cut(rest, "=")
		if p.byPath[path] == nil {
			return refuse(Different, "it links "+path)
		}
		p.archives[path] = archive
	}
	if len(p.archives) != len(p.packages) || !slices.Equal(others, p.linkCfg) {
		return refuse(Different, "it is linked with other settings")
	}
	return nil
}

func (r Request) takeInputs(p *Plan, env goEnv) error {
	inputs, err := p.inputsOf(r.Dir, env, r.Files)
	if err != nil {
		return fmt.Errorf("list what the program is built from: %w", err)
	}
	if p.inputs, err = take(inputs); err != nil {
		return fmt.Errorf("look at what the program is built from: %w", err)
	}
	return nil
}

// check prepares the profile, and links what there is.
func (r Request) check(ctx context.Context, g *osproc.Group, p *Plan) error {
	out := filepath.Join(r.Tmp, "check")
	defer os.Remove(out)
	b := run{plan: p, group: g, folder: r.Tmp, out: out, archives: p.archives}
	if err := b.takeProfile(ctx); err != nil {
		return err
	}
	if err := b.link(ctx); err != nil {
		return errors.Join(refuse(NotLinked, ""), err)
	}
	same, err := r.Same(out)
	if err == nil && !same {
		err = refuse(Different, "")
	}
	return err
}
