package classify

import (
	"iter"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/devguard/devguard/supervisor/paths"
)

// embeds returns the package that embeds a file, and its pattern; "" if none does. The rules are
// those of package embed: a pattern that matches a directory embeds all files beneath it, except
// names that begin with . or _, which only a pattern with "all:" before it takes.
func (g *Graph) embeds(name string) (pkg, pattern string) {
	for d, parts := range g.embedding(name) {
		for _, p := range d.Embeds {
			if embedsFile(p, parts) {
				return d.Package, p
			}
		}
	}
	return "", ""
}

// embedding yields the packages that embed anything and are in a directory above path, the nearest
// first, with what path is called there.
func (g *Graph) embedding(path string) iter.Seq2[Dir, []string] {
	return func(yield func(Dir, []string) bool) {
		for up := range paths.Up(path) {
			d := g.Dirs[up]
			if len(d.Embeds) == 0 || up == path {
				continue
			}
			rel := strings.TrimPrefix(filepath.ToSlash(path[len(up):]), "/")
			if !yield(d, strings.Split(rel, "/")) {
				return
			}
		}
	}
}

// embedsFile reports whether a pattern embeds the file whose path below the package's directory has
// these parts.
func embedsFile(pattern string, parts []string) bool {
	pattern, all := cutAll(pattern)
	for k := 1; k <= len(parts); k++ {
		if ok, _ := path.Match(pattern, strings.Join(parts[:k], "/")); !ok {
			if pattern != "." {
				continue
			}
			k = 0 // the package's own directory
		}
		return all || !anyHidden(parts[k:])
	}
	return false
}

// embedsBelow reports whether a pattern may embed files beneath a directory.
func embedsBelow(pattern string, parts []string) bool {
	if embedsFile(pattern, parts) {
		return true
	}
	pattern, _ = cutAll(pattern)
	want := strings.Split(path.Clean(pattern), "/")
	if len(parts) >= len(want) {
		return false
	}
	for i, p := range parts {
		if ok, _ := path.Match(want[i], p); !ok {
			return false
		}
	}
	return true
}

func cutAll(pattern string) (string, bool) {
	rest, all := strings.CutPrefix(pattern, "all:")
	return rest, all
}

func anyHidden(parts []string) bool {
	return slices.ContainsFunc(parts, hidden)
}

// hidden reports whether the go command leaves a name out by its first letter.
func hidden(base string) bool {
	return strings.HasPrefix(base, "_") || strings.HasPrefix(base, ".")
}
