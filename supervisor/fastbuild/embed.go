package fastbuild

import (
	"encoding/json"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// embedding is what a package embeds.
type embedding struct {
	config string            // the embedcfg as the go command writes it
	files  map[string]string // by the name that the program knows
	dirs   []string          // absolute: a file that comes to one of these, or below, may be embedded
}

// embeds reads an embedcfg.
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
	dirs := map[string]bool{}
	for pattern := range cfg.Patterns {
		pattern = strings.TrimPrefix(pattern, "all:")
		dir, last := path.Split(pattern)
		if hasMeta(dir) {
			return refuse(Pattern, pattern)
		}
		if hasMeta(last) {
			dirs[path.Clean("./"+dir)] = true
		} else if name := path.Clean(pattern); cfg.Files[name] == "" {
			dirs[name] = true
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(dirs)) {
		pkg.embed.dirs = append(pkg.embed.dirs, filepath.Join(pkg.Dir, filepath.FromSlash(dir)))
	}
	for name := range cfg.Files { // a pattern may match directories
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			pkg.embed.dirs = append(pkg.embed.dirs, filepath.Join(pkg.Dir, filepath.FromSlash(dir)))
		}
	}
	slices.Sort(pkg.embed.dirs)
	pkg.embed.dirs = slices.Compact(pkg.embed.dirs)
	return nil
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
