package watch

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/devguard/devguard/supervisor/paths"
)

// repository is a work tree of git. It is found from the file names, as git does: there may be no
// git, or one that refuses a repository of another user, and a rebase is to be seen all the same.
type repository struct {
	top   string // of the work tree, without symbolic links
	entry string // its .git, which is a directory or a file that leads to one; or what GIT_DIR names
}

// GitDir returns the directory in which git keeps the state of the work tree that dir is in; for a
// linked work tree and for a submodule that is not its .git. It is "" if dir is in none. GIT_DIR and
// GIT_WORK_TREE of this process count, except for a work tree that is nearer to dir.
func GitDir(dir string) string {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return ""
	}
	return newRepositories().of(real).dir()
}

// dir is where git keeps the state of the work tree; "" if the .git file does not say.
func (r repository) dir() string {
	info, err := os.Stat(r.entry)
	if err != nil || info.IsDir() {
		return r.entry
	}
	text, err := os.ReadFile(r.entry)
	if err != nil {
		return ""
	}
	dir, ok := strings.CutPrefix(string(text), "gitdir: ")
	if !ok {
		return ""
	}
	dir = filepath.FromSlash(strings.TrimRight(dir, "\r\n"))
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(filepath.Dir(r.entry), dir)
	}
	return filepath.Clean(dir)
}

// repositories finds the work trees that directories are in. It remembers them, so that it is for
// one set of questions.
type repositories struct {
	named repository // what GIT_DIR and GIT_WORK_TREE say
	seen  map[string]repository
}

func newRepositories() repositories {
	return repositories{named: namedRepository(), seen: map[string]repository{}}
}

// of returns the nearest work tree that a directory, given without symbolic links, is in; the zero
// repository if it is in none.
func (r repositories) of(dir string) repository {
	if known, ok := r.seen[dir]; ok {
		return known
	}
	var found repository
	entry := filepath.Join(dir, ".git")
	switch parent := filepath.Dir(dir); {
	case dir == r.named.top:
		found = r.named
	case leads(entry):
		found = repository{dir, entry}
	case parent != dir:
		found = r.of(parent)
	}
	r.seen[dir] = found
	return found
}

// leads reports whether git takes a path for its own directory, or for a file that leads to it. A
// directory without a HEAD, such as an empty volume that a container has mounted over .git, git
// passes by.
func leads(entry string) bool {
	info, err := os.Stat(entry)
	if err != nil {
		return false
	}
	if info.IsDir() {
		_, err := os.Lstat(filepath.Join(entry, "HEAD"))
		return !errors.Is(err, fs.ErrNotExist)
	}
	return info.Mode().IsRegular()
}

// namedRepository is the repository that GIT_DIR names: for a work tree without a .git, or because
// a git hook has started devguard. Without GIT_WORK_TREE the work tree is the current directory, as
// for git; but not a directory below the one that GIT_DIR is in, where git would miss the .gitignore
// files of those above.
func namedRepository() repository {
	dir, tree := os.Getenv("GIT_DIR"), os.Getenv("GIT_WORK_TREE")
	if dir == "" {
		return repository{}
	}
	entry, err := filepath.Abs(dir)
	if err != nil || !leads(entry) {
		return repository{}
	}
	top, err := filepath.Abs(tree)
	if err == nil {
		top, err = filepath.EvalSymlinks(top)
	}
	if err != nil {
		return repository{}
	}
	if parent := filepath.Dir(entry); tree == "" && filepath.Base(entry) == ".git" && paths.Within(top, parent) {
		top = parent
	}
	return repository{top, entry}
}
