package watch

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/devguard/devguard/supervisor/change"
)

// allOutputs finds out of every hook whether outputs are missing.
func (l *loop) allOutputs() {
	for i := range l.hooks {
		l.hooks[i].Missing = l.missing(i)
	}
}

// outputs does so of the hooks whose outputs are among paths that have come or gone.
func (l *loop) outputs(paths []change.Path) {
	seen := map[int]bool{}
	for _, p := range paths {
		if p.Op == change.Write || p.Op == change.Chmod {
			continue
		}
		for _, i := range p.Class.Outputs {
			if !seen[i] {
				seen[i] = true
				l.hooks[i].Missing = l.missing(i)
			}
		}
	}
}

// missing reports whether one of a hook's outputs patterns matches nothing.
func (l *loop) missing(i int) bool {
	for _, glob := range l.plan.Rules.Hooks[i].Outputs {
		if !l.exists(glob) {
			return true
		}
	}
	return false
}

var errFound = errors.New("found")

// exists reports whether a glob matches a file; one without wildcards may name a directory.
func (l *loop) exists(glob string) bool {
	dir, rest := l.plan.Rules.Split(glob)
	if _, err := os.Stat(filepath.Join(dir, rest)); err == nil {
		return true
	}
	err := doublestar.GlobWalk(os.DirFS(dir), rest, func(string, fs.DirEntry) error { return errFound }, doublestar.WithFilesOnly())
	return errors.Is(err, errFound)
}
