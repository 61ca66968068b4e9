package classify

import (
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/devguard/devguard/supervisor/paths"
)

// excludedDirs are directories whose contents never restart anything, even if watch.include names
// them: those of version control, of package managers, and our own. Others that one might exclude
// (dist, build, .venv) are left to git, which ignores them as a rule. A hook that names such a
// directory before its first wildcard does watch it.
var excludedDirs = []string{".git", ".hg", ".svn", ".devguard", "node_modules"}

// SkipDir reports whether the search for include globs leaves out directories of that name.
func SkipDir(base string) bool { return slices.Contains(excludedDirs, base) }

// temporary reports whether a file is an editor's own: a backup, a swap file, a lock, vim's probe,
// the halves of a safe write.
func temporary(base string) bool {
	switch {
	case base == "4913": // vim tries whether it may create files
		return true
	case strings.HasSuffix(base, "~"):
		return true
	case strings.HasPrefix(base, ".#"), strings.HasPrefix(base, "#") && strings.HasSuffix(base, "#"):
		return true
	case strings.HasPrefix(base, ".goutputstream-"):
		return true
	case strings.HasSuffix(base, "___jb_tmp___"), strings.HasSuffix(base, "___jb_old___"):
		return true
	}
	switch filepath.Ext(base) {
	case ".swp", ".swo", ".swx":
		return strings.HasPrefix(base, ".")
	}
	return false
}

// usuallyExcluded returns the excluded directory that path lies in, if any.
func (r *Rules) usuallyExcluded(name string) string {
	rel, ok := r.rel(name)
	if !ok {
		rel = filepath.ToSlash(name)
	}
	return skipped(path.Dir(rel))
}

func skipped(dir string) string {
	for p := range strings.SplitSeq(dir, "/") {
		if SkipDir(p) {
			return p
		}
	}
	return ""
}

// rel names path relative to Base, with slashes.
func (r *Rules) rel(path string) (string, bool) {
	if r.under(path) { // as filepath.Rel would say, which takes ten times as long
		return filepath.ToSlash(strings.TrimPrefix(path[len(r.Base):], string(filepath.Separator))), true
	}
	rel, err := filepath.Rel(r.Base, path)
	if err != nil {
		return "", false
	}
	return filepath.ToSlash(rel), true
}

// under reports whether path is beneath Base.
func (r *Rules) under(path string) bool { return path != r.Base && paths.Within(path, r.Base) }

// matchAny returns the first glob that matches path; empty if none does.
func (r *Rules) matchAny(globs []string, name string) string {
	if len(globs) == 0 {
		return ""
	}
	rel, ok := r.rel(name)
	for _, g := range globs {
		if matchGlob(g, rel, ok, name) {
			return g
		}
	}
	return ""
}

// matchGlob matches a glob against a name, which is given relative to the base (if ok) and
// absolute. A file outside the base is matched only by a glob that begins with ../ or is absolute:
// ** does not climb.
func matchGlob(glob, rel string, ok bool, abs string) bool {
	if filepath.IsAbs(filepath.FromSlash(glob)) {
		return doublestar.MatchUnvalidated(path.Clean(glob), filepath.ToSlash(abs))
	}
	glob = path.Clean(glob)
	if !ok || paths.Climbs(rel) && !paths.Climbs(glob) {
		return false
	}
	return doublestar.MatchUnvalidated(glob, rel)
}

// escape makes a glob that matches exactly one name.
func escape(rel string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `{`, `\{`).Replace(rel)
}

// literal is the one name that a glob without wildcards matches.
func literal(glob string) (name string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(glob); i++ {
		switch {
		case strings.IndexByte("*?[{", glob[i]) >= 0:
			return "", false
		case glob[i] == '\\' && i+1 < len(glob):
			i++
		}
		b.WriteByte(glob[i])
	}
	return b.String(), true
}

// Split returns the directory, absolute, in which a glob of these rules looks, and the rest of the
// glob, relative to that. A glob without wildcards is split before its last element.
func (r *Rules) Split(glob string) (dir, rest string) {
	dir, rest = doublestar.SplitPattern(path.Clean(glob))
	return r.abs(filepath.FromSlash(dir)), rest
}

// Holds reports whether files beneath a directory may be embedded or watched by a hook, so that it
// must be listed when it appears.
func (r *Rules) Holds(dir string) bool {
	dir = filepath.Clean(dir)
	if r.Graph != nil && r.Graph.embedsBelow(dir) {
		return true
	}
	for _, h := range r.Hooks {
		for _, glob := range h.Watch {
			if r.reaches(glob, dir) {
				return true
			}
		}
	}
	return false
}

// Seeks reports whether there may be files beneath a directory that include globs or those of assets
// match, so that it is searched. Like reaches it says yes too often.
func (r *Rules) Seeks(dir string) bool {
	may := func(glob string) bool { return r.reaches(glob, dir) }
	return r.Command || slices.ContainsFunc(r.Include, may) || slices.ContainsFunc(r.Assets, may)
}

func (g *Graph) embedsBelow(dir string) bool {
	for d, parts := range g.embedding(dir) {
		for _, p := range d.Embeds {
			if embedsBelow(p, parts) {
				return true
			}
		}
	}
	return false
}

// reaches reports whether a glob may match files beneath dir. It says yes too often, since it does
// not look into character classes and braces, but never no where there may be some.
func (r *Rules) reaches(glob, dir string) bool {
	base, rest := r.Split(glob)
	if paths.Within(base, dir) {
		return true
	}
	if !paths.Within(dir, base) {
		return false
	}
	rel, err := filepath.Rel(base, dir)
	if err != nil || skipped(filepath.ToSlash(rel)) != "" {
		return false
	}
	depth := strings.Count(filepath.ToSlash(rel), "/") + 1
	return strings.Contains(rest, "**") || depth <= strings.Count(rest, "/")
}

// Excludes reports whether watch.exclude matches a path, or a directory that it is in.
func (r *Rules) Excludes(path string) bool { return r.exclude(path) != "" }

func (r *Rules) exclude(path string) string {
	if len(r.Exclude) == 0 {
		return ""
	}
	for up := path; r.under(up); up = filepath.Dir(up) {
		if glob := r.matchAny(r.Exclude, up); glob != "" {
			return glob
		}
	}
	return r.matchAny(r.Exclude, path)
}
