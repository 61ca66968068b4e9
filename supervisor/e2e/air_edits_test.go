package e2e_test

import (
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/devguard/devguard/supervisor"
	"github.com/devguard/devguard/supervisor/config"
)

// TestAirProjectsRebuildForTheSameEdits translates the .air.toml of public projects, each in a tree
// with the directories and kinds of files that it names, and asks of every file whether devguard
// would do something for an edit of it. That has to be as with air, apart from what otherwise says.
func TestAirProjectsRebuildForTheSameEdits(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("supervisor/translate/testdata/air/*.toml")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d configurations, %v", len(files), err)
	}
	said := map[string]int{}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".toml"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			maps.Copy(said, sameEdits(t, data))
		})
	}
	for _, why := range []string{notImported, ofTheProgram, noExceptions, hiddenDir} {
		if said[why] == 0 {
			t.Errorf("no file is the exception %q any more: take it out", why)
		}
	}
}

// Why devguard does otherwise than air.
const (
	notImported  = "a Go file that is not part of the program"
	ofTheProgram = "what the program is built from: air excludes it, or does not look at it"
	hiddenDir    = "a directory whose name begins with a dot: air leaves it out, devguard does if git ignores it"
	noExceptions = "a hook's watch has no exceptions: the build of another command runs for an excluded file, too"
)

// sameEdits holds devguard against air for each file of a project, and counts the exceptions.
func sameEdits(t *testing.T, data []byte) map[string]int {
	rule := readAirRule(t, data)
	root, all := airProject(t, rule, data)
	if out, err := exec.Command(binary(t), "init", "-C", root, "--from", ".air.toml").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cfg, err := config.Load(filepath.Join(root, config.File), root, config.Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	classify, err := supervisor.Classifier(t.Context(), cfg, os.Environ(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]int{}
	for _, rel := range all {
		air, class := rule.builds(root, rel), classify(filepath.Join(root, filepath.FromSlash(rel)))
		if devguard := !class.Ignored(); devguard != air {
			why := ""
			switch {
			case air && path.Ext(rel) == ".go" && !class.Source && len(cfg.App.Command) == 0:
				why = notImported
			case devguard && strings.HasPrefix(rel, ".hidden/"):
				why = hiddenDir
			case devguard && class.Source:
				why = ofTheProgram
			case devguard && len(cfg.App.Command) > 0 && slices.Contains(rule.Build.IncludeExt, strings.TrimPrefix(path.Ext(rel), ".")):
				why = noExceptions
			default:
				t.Errorf("%s: air builds: %v; devguard does something: %v (%s)", rel, air, devguard, class.Reason)
			}
			said[why]++
		}
	}
	return said
}

// airProject writes a tree with what an .air.toml names: its program, in each directory a file of
// each kind, and what nothing names. It returns the root and the files.
func airProject(t *testing.T, rule airRule, data []byte) (root string, all []string) {
	const prog = "package main\n\nimport _ \"example.com/app/internal/store\"\n\nfunc main() {}\n"
	files := map[string]string{
		".air.toml":                string(data),
		"go.mod":                   "module example.com/app\n\ngo 1.25\n",
		"internal/store/store.go":  "package store\n",
		"internal/store/x_test.go": "package store\n",
		"internal/unused/u.go":     "package unused\n",
		"README.md":                "x",
		"Dockerfile":               "x",
	}
	for _, dir := range []string{".", "cmd/api", "cmd/web", "cmd/http", "cmd/zinc", "cmd/server", "backend/bin/server"} {
		files[path.Join(dir, "main.go")] = prog
	}
	dirs := slices.Concat([]string{".", "cmd/api", "internal/store", "templates", "templates/deep/er"},
		rule.Build.IncludeDir, rule.Build.ExcludeDir, []string{rule.TmpDir, rule.TestdataDir, "other", ".hidden"})
	exts := slices.Concat(rule.Build.IncludeExt, []string{"html", "tmpl", "css", "sql", "md", "yaml", "txt"})
	for _, dir := range dirs {
		for _, ext := range exts {
			if ext != "go" {
				files[path.Join(dir, "x."+ext)] = "x"
			}
		}
		if dir != "." && !strings.HasPrefix(dir, "cmd/") && dir != "internal/store" {
			files[path.Join(dir, "x.go")] = "package x\n"
			files[path.Join(dir, "x_test.go")] = "package x\n"
		}
	}
	root = project(t, files)
	return root, slices.DeleteFunc(slices.Sorted(maps.Keys(files)), func(rel string) bool { return rel == ".air.toml" })
}

// TestAirProjectRuns translates a configuration with variables, a main.go and a template, and runs
// what comes out of it.
func TestAirProjectRuns(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("supervisor/translate/testdata/air/zincsearch.toml")
	if err != nil {
		t.Fatal(err)
	}
	dir := project(t, map[string]string{
		".air.toml": string(data), "page.html": "a", "web/page.html": "a",
		"cmd/zinc/main.go": "package main\n\nimport (\n\t\"fmt\"\n\t\"os\"\n\t\"time\"\n)\n\nfunc main() {\n\tfmt.Println(\"v1\", os.Getenv(\"APP_ENV\"), os.Getenv(\"APP_USER\"))\n\ttime.Sleep(time.Hour)\n}\n",
	})
	initialise := exec.Command(binary(t), "init", "--from", ".air.toml")
	initialise.Dir = dir
	if out, err := initialise.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	d := run(t, dir, nil)
	d.ready()
	mark := d.mark()
	edit(t, filepath.Join(dir, "web/page.html"), "a", "b") // of exclude_dir
	edit(t, filepath.Join(dir, "cmd/zinc/main.go"), "v1", "v2")
	if l := d.wait(mark, "instance ready", nil); l.int("gen") != 2 {
		t.Errorf("for the source: %s", l.Raw)
	}
	mark = d.mark()
	edit(t, filepath.Join(dir, "page.html"), "a", "b")
	if l := d.wait(mark, "instance ready", nil); l.int("gen") != 3 || d.count(mark, "build started") != 0 {
		t.Errorf("for the template: %s\n%s", l.Raw, d.log())
	}
	if code := d.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if want := "v1 dev air\nv2 dev air\nv2 dev air\n"; d.out.String() != want {
		t.Errorf("the app said %q", d.out.String())
	}
}
