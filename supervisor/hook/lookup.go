package hook

import (
	"errors"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// lookPath finds name as the hook would: in the PATH of its own environment,
// which env files may have changed, and from its own directory.
func lookPath(name, dir string, env []string) (string, error) {
	if strings.ContainsRune(name, '/') || filepath.Base(name) != name {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
			if dir == "" {
				name = "." + string(filepath.Separator) + name
			}
		}
		return abs(exec.LookPath(name))
	}
	for _, d := range filepath.SplitList(variable(env, "PATH")) {
		if !filepath.IsAbs(d) {
			d = filepath.Join(dir, d) // "" and "." mean the working directory
		}
		if p, err := abs(exec.LookPath(filepath.Join(d, name))); err == nil {
			return p, nil
		}
	}
	return "", exec.ErrNotFound
}

// abs makes a found path absolute, because the hook starts in its own directory.
// exec.ErrDot guards programs against a PATH they did not expect; here the
// user's own shell would run that program too.
func abs(path string, err error) (string, error) {
	if err != nil && !errors.Is(err, exec.ErrDot) {
		return "", err
	}
	return filepath.Abs(path)
}

// variable is the last value of name in env. Windows spells PATH as it likes.
func variable(env []string, name string) string {
	for i := len(env) - 1; i >= 0; i-- {
		k, v, _ := strings.Cut(env[i], "=")
		if k == name || runtime.GOOS == "windows" && strings.EqualFold(k, name) {
			return v
		}
	}
	return ""
}

// Find returns the first word of a hook's command as a run would look it up: the error is the one
// that a run would end with. It is "" where only the shell can tell what runs.
func Find(spec Spec) (program string, err error) {
	program = spec.named()
	if len(spec.Command) == 0 && (program == "" || strings.ContainsAny(program, "$`'\"\\(){}<>|&;*?[~#!") || slices.Contains(ofShell, program)) {
		return "", nil
	}
	env := spec.environ()
	if _, err := lookPath(program, spec.Dir, env); err != nil {
		return program, notFound(spec, program, env)
	}
	return program, nil
}

// ofShell are words that begin a command of a POSIX shell, and need no program.
var ofShell = []string{
	".", ":", "break", "case", "cd", "command", "continue", "do", "else", "eval", "exec", "exit", "export", "for", "if", "read", "readonly", "return",
	"set", "shift", "times", "trap", "type", "ulimit", "umask", "unset", "until", "wait", "while", "{",
}
