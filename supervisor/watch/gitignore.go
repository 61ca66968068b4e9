package watch

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// ignorer asks git what it ignores: only git knows all its rules, and those of the user. Without
// git, or outside a repository, nothing is ignored. Once made, several goroutines may use it.
type ignorer struct {
	git string                 // the binary; "" if there is none
	ask func(path string) bool // if not nil, asked instead of git
}

func newIgnorer() *ignorer {
	git, err := exec.LookPath("git")
	if err != nil {
		git = ""
	}
	return &ignorer{git: git}
}

// GitIgnored returns a function that asks git whether it ignores a path, for classify.Rules outside
// a watcher.
func GitIgnored(ctx context.Context) func(path string) bool {
	g := newIgnorer()
	return func(path string) bool { return g.ignored(ctx, []string{path})[path] }
}

// ignored returns those of the paths that git ignores. A path that git has no answer for is not
// ignored.
func (g *ignorer) ignored(ctx context.Context, paths []string) map[string]bool {
	out := map[string]bool{}
	if g.ask != nil {
		for _, p := range paths {
			out[p] = g.ask(p)
		}
		return out
	}
	if g.git == "" {
		return out
	}
	for top, qs := range questions(paths) {
		for range maxSkips {
			n := g.check(ctx, top, qs, out)
			if n >= len(qs) || ctx.Err() != nil {
				break
			}
			qs = qs[n+1:] // git gave up at the path after the last answer
		}
	}
	return out
}

// maxSkips bounds how many paths that git refuses are stepped over: those in a submodule, or in a
// directory that has just become a symbolic link.
const maxSkips = 20

// question is a path and how git is asked about it.
type question struct{ path, rel string }

// questions sorts paths by the repository that they are in.
func questions(paths []string) map[string][]question {
	tops := map[string]string{}
	reals := map[string]string{}
	out := map[string][]question{}
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
		top := repository(real, tops)
		if top == "" {
			continue
		}
		if rel, err := filepath.Rel(top, filepath.Join(real, filepath.Base(p))); err == nil {
			out[top] = append(out[top], question{p, filepath.ToSlash(rel)})
		}
	}
	return out
}

// repository returns the work tree that a directory is in; "" if it is in none.
func repository(dir string, seen map[string]string) string {
	if top, ok := seen[dir]; ok {
		return top
	}
	top := ""
	if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
		top = dir
	} else if parent := filepath.Dir(dir); parent != dir {
		top = repository(parent, seen)
	}
	seen[dir] = top
	return top
}

// check asks git about paths of one repository, and returns how many of them it has answered for.
func (g *ignorer) check(ctx context.Context, top string, qs []question, out map[string]bool) int {
	var in bytes.Buffer
	for _, q := range qs {
		in.WriteString("./" + q.rel) // a name may begin with a colon
		in.WriteByte(0)
	}
	cmd := exec.CommandContext(ctx, g.git, "check-ignore", "-z", "--stdin", "--verbose", "--non-matching")
	cmd.Dir = top
	cmd.Env = gitEnv()
	cmd.Stdin = &in
	answer, _ := cmd.Output() // fails at a path that git refuses; the answers before that one are good
	fields := strings.Split(string(answer), "\x00")
	n := 0
	for ; n < len(qs) && 4*n+3 < len(fields); n++ { // source, line, pattern, path
		if pattern := fields[4*n+2]; pattern != "" && !strings.HasPrefix(pattern, "!") {
			out[qs[n].path] = true
		}
	}
	return n
}

// gitEnv is our environment without what would turn git to another repository (a git hook may have
// started devguard), and with a git that does not write its index because we ask.
func gitEnv() []string {
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool {
		return strings.HasPrefix(kv, "GIT_") && !strings.HasPrefix(kv, "GIT_CONFIG")
	})
	return append(env, "GIT_OPTIONAL_LOCKS=0")
}
