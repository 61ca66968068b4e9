// Package paths answers where one path lies in relation to another, from the names alone: it
// touches no file system and resolves no symbolic links.
package paths

import (
	"iter"
	"path/filepath"
	"strings"
)

// Within reports whether path is dir or below it. Both must be clean and of the same kind, both
// absolute or both relative; it compares bytes and allocates nothing, since it is asked of every
// directory of a tree for every event. Nothing but "" itself is within "".
func Within(path, dir string) bool {
	if path == dir || dir == "" {
		return path == dir
	}
	if !strings.HasPrefix(path, dir) {
		return false
	}
	return path[len(dir)] == filepath.Separator || dir[len(dir)-1] == filepath.Separator // the latter: a root
}

// Rel names path as seen from dir when it is dir (then ".") or below it. Unlike Within it takes
// paths as another program or a person wrote them: with a trailing slash, or in other case on
// Windows.
func Rel(dir, path string) (rel string, ok bool) {
	if dir == "" {
		return "", false
	}
	rel, err := filepath.Rel(dir, path)
	if err != nil || Climbs(filepath.ToSlash(rel)) {
		return "", false
	}
	return rel, true
}

// Climbs reports whether a clean relative path, or glob, with slashes leads out of the directory
// that it is relative to.
func Climbs(rel string) bool { return rel == ".." || strings.HasPrefix(rel, "../") }

// Up yields path and then each directory above it, nearest first, up to the root; for a relative
// path the last is ".".
func Up(path string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for yield(path) {
			parent := filepath.Dir(path)
			if parent == path {
				return
			}
			path = parent
		}
	}
}
