package graph

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/devguard/devguard/supervisor/classify"
	"github.com/devguard/devguard/supervisor/goflags"
)

// cgo adds what a package is built from beside what go list names: the files that its C or assembly
// sources include, wherever they are, and the libraries that its linker flags name. The go command's
// cache knows neither.
func (c *collector) cgo(p listed, pkg string) {
	if len(p.CgoFiles)+len(p.SFiles) == 0 {
		return
	}
	compile := slices.Concat(c.envFlags("CGO_CPPFLAGS"), c.envFlags("CGO_CFLAGS"), c.envFlags("CGO_CXXFLAGS"), p.CgoCPPFLAGS, p.CgoCFLAGS, p.CgoCXXFLAGS)
	found := classify.Cgo{
		Package: pkg, Dir: p.Dir, Workspace: p.Module != nil && p.Module.Main,
		PkgConfig: len(p.CgoPkgConfig) > 0,
		Libraries: c.libraries(p.Dir, slices.Concat(c.envFlags("CGO_LDFLAGS"), p.CgoLDFLAGS)),
	}
	found.Includes, found.Cut = c.includes(p, compile)
	if len(found.Includes)+len(found.Libraries) == 0 && !found.PkgConfig {
		return
	}
	c.graph.Cgo = append(c.graph.Cgo, found)
	c.files("", classify.Included, found.Includes)
	c.files("", classify.Library, found.Libraries)
}

// envFlags are the flags that the environment adds to those of each package.
func (c *collector) envFlags(name string) []string {
	words, _ := goflags.Split(c.a.env[name]) // the build says what is wrong with them
	return words
}

// edited reports whether what is in a directory may be edited.
func (c *collector) edited(dir string) bool { return !c.foreign(dir) && !classify.System(dir) }

// includes are the files that a package's C sources include, sorted, and whether there are more.
func (c *collector) includes(p listed, flags []string) (names []string, cut bool) {
	known := map[string]bool{}
	sources := slices.Concat(p.CFiles, p.CXXFiles, p.MFiles, p.FFiles, p.SFiles, p.HFiles)
	for _, name := range sources {
		known[filepath.Join(p.Dir, name)] = true
	}
	// That is where Go's own assembler looks, too.
	flags = append(flags, "-idirafter", filepath.Join(c.a.env["GOROOT"], "pkg", "include"))
	s := newIncludes(p.Dir, known, flags, c.edited)
	for _, name := range p.CgoFiles {
		s.goFile(filepath.Join(p.Dir, name))
	}
	for name := range known {
		s.file(name)
	}
	for _, name := range values(flags, "-include") {
		s.include(p.Dir, included{name, true})
	}
	return s.all(), s.cut
}

// libraries are the files that linker flags name, sorted: by their paths, and as -lNAME in each -L
// directory, whether they are there or not.
func (c *collector) libraries(dir string, flags []string) []string {
	suffixes := librarySuffixes[c.a.env["GOOS"]]
	if suffixes == nil {
		suffixes = librarySuffixes[""]
	}
	var names []string
	for _, in := range values(flags, "-L") {
		for _, name := range values(flags, "-l") {
			if exact, ok := strings.CutPrefix(name, ":"); ok {
				names = append(names, filepath.Join(in, exact))
				continue
			}
			for _, suffix := range suffixes {
				names = append(names, filepath.Join(in, "lib"+name+suffix))
			}
		}
	}
	for word := range strings.FieldsFuncSeq(strings.Join(flags, "\n"), func(r rune) bool { return r == '\n' || r == ',' }) { // -Wl,-force_load,libx.a
		ext := filepath.Ext(word)
		if !strings.HasPrefix(word, "-") && (ext == ".o" || slices.Contains(suffixes, ext) || strings.Contains(filepath.Base(word), ".so.")) {
			names = append(names, word)
		}
	}
	for i, name := range names {
		names[i] = inDir(dir, name)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !c.edited(filepath.Dir(name)) })
	slices.Sort(names)
	return slices.Compact(names)
}

// librarySuffixes are what the linker makes of -lNAME, by GOOS.
var librarySuffixes = map[string][]string{
	"":        {".a", ".so"},
	"darwin":  {".a", ".dylib", ".tbd"},
	"windows": {".a", ".dll.a", ".lib", ".dll"},
}

// values are those of one flag, whether in its own word or in the next.
func values(words []string, flag string) []string {
	var all []string
	for i := 0; i < len(words); i++ {
		value, ok := strings.CutPrefix(words[i], flag)
		if ok && value == "" && i+1 < len(words) {
			i++
			value = words[i]
		}
		if ok && value != "" {
			all = append(all, value)
		}
	}
	return all
}

func inDir(dir, name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(dir, name)
}
