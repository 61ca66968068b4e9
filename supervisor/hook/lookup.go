package hook

import (
	"errors"
	"os/exec"
	"path/filepath"
	"runtime"
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
