package fastbuild

import (
	"encoding/json"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// embedding is what a package embeds.
type embedding struct {
	config   string            // the embedcfg as the go command writes it
	files    map[string]string // absolute, by the name that the program knows
	whole    []string          // absolute: directories of which all that is below may be embedded
	patterns []string          // absolute, with wildcards in the last element
	parents  []string          // absolute: directories between the package's and an embedded file
}

// embeds reads an embedcfg. Of a pattern with wildcards in a directory all is looked at that is below the last
// one without; were that the package's own, it could be the whole project.
func (pkg *Package) embeds(config string) *Refusal {
	if config == "" {
		return nil
	}
	var cfg struct {
		Patterns map[string][]string
		Files    map[string]string
	}
	if json.Unmarshal([]byte(config), &cfg) != nil {
		return refuse(Unknown, "what "+pkg.Path+" embeds")
	}
	pkg.embed = embedding{config: config, files: cfg.Files}
	for pattern, matches := range cfg.Patterns {
		pattern = strings.TrimPrefix(pattern, "all:")
		dir, last := path.Split(pattern)
		switch {
		case hasMeta(dir) && !pkg.Local: // its files are known; none is expected to come
		case hasMeta(strings.Split(dir, "/")[0]):
			return refuse(Pattern, pattern)
		case hasMeta(dir):
			pkg.embed.whole = append(pkg.embed.whole, pkg.below(known(dir)))
		case hasMeta(last):
			pkg.embed.patterns = append(pkg.embed.patterns, pkg.below(dir+last))
			pkg.embedsMatched(path.Clean(dir), matches)
		case cfg.Files[path.Clean(pattern)] == "":
			pkg.embed.whole = append(pkg.embed.whole, pkg.below(pattern))
		}
	}
	for name := range cfg.Files {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			pkg.embed.parents = append(pkg.embed.parents, pkg.below(dir))
		}
	}
	for _, list := range []*[]string{&pkg.embed.whole, &pkg.embed.patterns, &pkg.embed.parents} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return nil
}

// known is the directory that a pattern is certain of.
func known(dir string) string {
	for hasMeta(dir) {
		dir = path.Dir(dir)
	}
	return dir
}

// embedsMatched takes up the directories that a pattern with wildcards in dir matches; files are what came of it.
func (pkg *Package) embedsMatched(dir string, files []string) {
	for _, name := range files {
		for up := path.Dir(name); up != dir && up != "."; up = path.Dir(up) {
			if path.Dir(up) == dir {
				pkg.embed.whole = append(pkg.embed.whole, pkg.below(up))
			}
		}
	}
}

// below is a file of the package by its name in a pattern.
func (pkg *Package) below(name string) string {
	return filepath.Join(pkg.Dir, filepath.FromSlash(name))
}

// has reports whether a file is embedded.
func (e embedding) has(file string) bool {
	for _, name := range e.files {
		if name == file {
			return true
		}
	}
	return false
}

func hasMeta(s string) bool { return strings.ContainsAny(s, `*?[\`) }
