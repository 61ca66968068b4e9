package e2e_test

import (
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
)

// airRule is what an .air.toml says of the files that air 1.67 builds for. It is read here a second
// time, by air's own rule (runner/engine.go, runner/util.go), to hold translations against.
type airRule struct {
	TmpDir      string `toml:"tmp_dir"`
	TestdataDir string `toml:"testdata_dir"`
	Build       struct {
		IncludeExt   []string `toml:"include_ext"`
		IncludeDir   []string `toml:"include_dir"`
		IncludeFile  []string `toml:"include_file"`
		ExcludeDir   []string `toml:"exclude_dir"`
		ExcludeFile  []string `toml:"exclude_file"`
		ExcludeRegex []string `toml:"exclude_regex"`
	} `toml:"build"`
}

// readAirRule reads an .air.toml over air's defaults. An empty list is a value.
func readAirRule(t *testing.T, data []byte) airRule {
	t.Helper()
	r := airRule{TmpDir: "tmp", TestdataDir: "testdata"}
	b := &r.Build
	b.IncludeExt = []string{"go", "tpl", "tmpl", "html"}
	b.ExcludeDir = []string{"assets", "tmp", "vendor", "testdata"}
	b.ExcludeRegex = []string{"_test.go"}
	if err := toml.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// builds reports whether air builds for a change of a file of the project in root.
func (r airRule) builds(root, rel string) bool {
	included := slices.Contains(r.Build.IncludeFile, rel)
	switch {
	case !r.watches(path.Dir(rel), included), r.excludes(filepath.Join(root, rel), rel):
		return false
	case included:
		return true
	}
	return slices.ContainsFunc(r.Build.IncludeExt, func(ext string) bool {
		ext = strings.TrimSpace(ext)
		return ext == "*" || path.Ext(rel) == "."+ext
	})
}

// watches reports whether air gets down to a directory and watches it; file tells that only one
// file in it is asked about, which air watches by itself.
func (r airRule) watches(dir string, file bool) bool {
	for up := dir; up != "."; up = path.Dir(up) {
		hidden := strings.HasPrefix(path.Base(up), ".")
		if hidden || up == r.TmpDir || up == r.TestdataDir || slices.Contains(r.Build.ExcludeDir, up) {
			return false
		}
	}
	if len(r.Build.IncludeDir) == 0 {
		return true
	}
	return slices.ContainsFunc(r.Build.IncludeDir, func(in string) bool {
		return dir == in || strings.HasPrefix(dir, in+"/") || file && (dir == "." || strings.HasPrefix(in, dir+"/"))
	})
}

func (r airRule) excludes(abs, rel string) bool {
	file := slices.ContainsFunc(r.Build.ExcludeFile, func(glob string) bool {
		ok, _ := filepath.Match(glob, rel)
		return ok
	})
	return file || slices.ContainsFunc(r.Build.ExcludeRegex, func(expr string) bool {
		return regexp.MustCompile(expr).MatchString(abs)
	})
}

// TestAirRule holds cases in which air 1.67.4 itself was watched.
func TestAirRule(t *testing.T) {
	const config = `
[build]
include_ext = ["go", "html"]
include_dir = ["cmd", "web"]
include_file = ["conf.yaml", "cmd/list.txt"]
exclude_dir = ["web/dist", "tmp"]
exclude_file = ["web/*.min.html"]
exclude_regex = ["_test.go$"]
`
	r := readAirRule(t, []byte(config))
	for rel, want := range map[string]bool{
		"cmd/main.go":          true,
		"cmd/sub/sub.go":       true,
		"cmd/main_test.go":     false,
		"web/a.html":           true,
		"web/a.css":            false,
		"web/a.min.html":       false,
		"web/deep/a.min.html":  true, // filepath.Match: a * stays in one directory
		"web/dist/a.html":      false,
		"web/dist/deep/a.html": false,
		"web/.hidden/a.html":   false,
		"web/testdata/a.html":  true, // testdata_dir is the one at the top
		"top.go":               false,
		"other/a.go":           false,
		"conf.yaml":            true,
		"cmd/list.txt":         true,
		"testdata/a.go":        false,
	} {
		if got := r.builds("/p", rel); got != want {
			t.Errorf("%s: got %v", rel, got)
		}
	}
}
