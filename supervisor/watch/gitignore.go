package watch

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/osproc"
)

// ignorer asks git what it ignores: only git knows all its rules, and those of the user. Outside a
// repository nothing is ignored, nor is a path that git has no answer for. Once made, several
// goroutines may use it.
type ignorer struct {
	git   string                 // the binary; "" if there is none
	ask   func(path string) bool // if not nil, asked instead of git
	limit time.Duration          // how long git may take for one question
	silences
}

// Git takes some 3 ms to answer. A thousand times as long is a git that hangs, and a restart may be
// waiting for it.
const (
	gitLimit = 5 * time.Second
	gitPause = time.Minute // before a git that hung is asked again
)

func newIgnorer() *ignorer {
	git, err := exec.LookPath("git")
	if err != nil {
		git = ""
	}
	return &ignorer{git: git, limit: gitLimit}
}

// GitIgnored returns a function that asks git whether it ignores a path, for classify.Rules outside
// a watcher. It calls note when git gives no answer.
func GitIgnored(ctx context.Context, note func(change.Note)) func(path string) bool {
	g := newIgnorer()
	return func(path string) bool {
		a := g.ignored(ctx, []string{path})
		for _, n := range a.silent {
			note(n)
		}
		return a.ignored[path]
	}
}

// answer is what git says of paths.
type answer struct {
	ignored map[string]bool // those that it ignores
	silent  []change.Note   // why it says nothing of a work tree
	again   bool            // it says something of a work tree of which it said nothing before
}

// ignored asks git which of the paths it ignores.
func (g *ignorer) ignored(ctx context.Context, paths []string) answer {
	a := answer{ignored: map[string]bool{}}
	if g.ask != nil {
		for _, p := range paths {
			a.ignored[p] = g.ask(p)
		}
		return a
	}
	for in, qs := range questions(paths) {
		if !g.mayAsk(in.top, time.Now()) {
			continue
		}
		err := g.askAll(ctx, in, qs, a.ignored)
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			a.silent = append(a.silent, silence(in.top, err))
		}
		a.again = g.heard(in.top, err, time.Now()) || a.again
	}
	return a
}

// maxSkips bounds how many paths that git refuses are stepped over: those in a submodule, or in a
// directory that has just become a symbolic link.
const maxSkips = 20

// askAll asks git about paths of one repository. The error says why git has no answer at all.
func (g *ignorer) askAll(ctx context.Context, in repository, qs []question, out map[string]bool) error {
	if g.git == "" {
		return errNoGit
	}
	group, err := osproc.NewGroup()
	if err != nil {
		return err
	}
	defer group.Close(gitKilled)
	for range maxSkips {
		n, err := g.check(ctx, group, in, qs, out)
		if err != nil || n >= len(qs) {
			return err
		}
		qs = qs[n+1:] // git gave up at the path after the last answer
	}
	return nil
}

// question is a path and how git is asked about it.
type question struct{ path, rel string }

// questions sorts paths by the repository that they are in.
func questions(paths []string) map[repository][]question {
	repos := newRepositories()
	reals := map[string]string{}
	out := map[repository][]question{}
	for _, p := range paths {
		parent := filepath.Dir(p)
		real, ok := reals[parent]
		if !ok {
			var err error
			if real, err = filepath.EvalSymlinks(parent); err != nil {
				continue
			}
			reals[parent] = real
		}
		in := repos.of(real)
		if in.top == "" {
			continue
		}
		if rel, err := filepath.Rel(in.top, filepath.Join(real, filepath.Base(p))); err == nil {
			out[in] = append(out[in], question{p, filepath.ToSlash(rel)})
		}
	}
	return out
}

// probe is a path about which git has an answer, unless it has none at all.
const probe = ".gitignore"

// check asks git about paths of one repository, and returns how many of them it has answered for.
func (g *ignorer) check(ctx context.Context, group *osproc.Group, in repository, qs []question, out map[string]bool) (int, error) {
	var stdin bytes.Buffer
	for _, q := range slices.Insert(slices.Clone(qs), 0, question{rel: probe}) {
		stdin.WriteString("./" + q.rel) // a name may begin with a colon
		stdin.WriteByte(0)
	}
	limited, cancel := context.WithTimeoutCause(ctx, g.limit, errHangs)
	defer cancel()
	cmd := exec.CommandContext(limited, g.git, append(slices.Clone(inert), "check-ignore", "-z", "--stdin", "--verbose", "--non-matching")...)
	cmd.Dir = in.top
	cmd.Env = append(gitEnv(), "GIT_DIR="+in.entry, "GIT_WORK_TREE="+in.top)
	cmd.Stdin = &stdin
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Cancel, cmd.WaitDelay = group.Kill, gitKilled
	err := group.Run(cmd) // fails at a path that git refuses; the answers before that one are good
	fields := strings.Split(stdout.String(), "\x00")
	n := len(fields)/4 - 1 // source, line, pattern, path; without the probe
	for i := range min(n, len(qs)) {
		if pattern := fields[4*(i+1)+2]; pattern != "" && !strings.HasPrefix(pattern, "!") {
			out[qs[i].path] = true
		}
	}
	switch {
	case n >= len(qs):
		return n, nil
	case context.Cause(limited) != nil:
		return 0, context.Cause(limited)
	case n < 0:
		return 0, refusal(stderr.String(), err)
	}
	return n, nil
}

// gitKilled is how long the output of a git that was killed is waited for.
const gitKilled = time.Second

// Git is asked also about a repository that belongs to somebody else, as a folder that is mounted
// into a container does. By itself it refuses ("dubious ownership"), because a repository's
// configuration can name programs. It does not refuse what GIT_DIR names (tried with 2.30.9, 2.36.6,
// 2.39.5 and 2.55), whereas safe.directory is heeded from the command line since 2.38 alone. In return nothing that the
// configuration names may run: no file system monitor (an empty one is none in every version), no
// pager, no transport for objects that a partial clone lacks. check-ignore runs no hook and no filter.
var (
	inert    = []string{"--no-pager", "-c", "core.fsmonitor="}
	inertEnv = []string{"GIT_OPTIONAL_LOCKS=0", "GIT_NO_LAZY_FETCH=1", "GIT_ALLOW_PROTOCOL=none"}
)

// gitEnv is our environment without what would turn git to another repository (a git hook may have
// started devguard), and with a git that does not write its index because we ask.
func gitEnv() []string {
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool {
		return strings.HasPrefix(kv, "GIT_") && !strings.HasPrefix(kv, "GIT_CONFIG")
	})
	return append(env, inertEnv...)
}
