package cmd

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/devguard/devguard/supervisor/classify"
	"github.com/devguard/devguard/supervisor/config"
)

func TestExplanation(t *testing.T) {
	hooks := []config.Hook{
		{Name: "sqlc", Then: config.ThenRebuild},
		{Name: "css", Then: config.ThenNone},
		{Name: "seed", Then: config.ThenRestart},
		{Name: "migrate", Then: config.ThenNone, Migrates: true},
	}
	tests := []struct {
		name    string
		missing bool
		class   classify.Class
		want    string
	}{
		{"source", false, classify.Class{Source: true, Shape: true, Reason: "a Go file of example.com/shop"},
			"f: rebuild, then restart if the program differs\n  why: a Go file of example.com/shop\n"},
		{"template", false, classify.Class{Runtime: true, Reason: "watch.include matches"},
			"f: restart without a build\n  why: watch.include matches\n"},
		{"stylesheet", false, classify.Class{Asset: classify.Style}, "f: pages take their stylesheets anew\n"},
		{"script", false, classify.Class{Asset: classify.Script}, "f: pages reload\n"},
		{"env file", false, classify.Class{Env: true}, "f: restart without a build\n"},
		{"configuration", false, classify.Class{Config: true}, "f: read again, then restart without a build\n"},
		{"ignored", false, classify.Class{Reason: "no package imports it", Suggest: `watch.include = ["docs/**"]`},
			"f: nothing\n  why: no package imports it\n  to restart on it, set watch.include in devguard.toml:\n    [watch]\n    include = [\"docs/**\"]\n"},
		{"ignored for good", false, classify.Class{Reason: "a test file"}, "f: nothing\n  why: a test file\n"},
		{"kept out of the build", false, classify.Class{Shape: true, Role: classify.Excluded, Reason: "a build constraint excludes it"},
			"f: nothing, unless the line that keeps it out of the build changes\n  why: a build constraint excludes it\n"},
		{"hook", false, classify.Class{Hooks: []int{0}}, "f: hook \"sqlc\", then rebuild, then restart if the program differs\n"},
		{"hook, then nothing", false, classify.Class{Hooks: []int{1}}, "f: hook \"css\"\n"},
		{"hook, then restart", false, classify.Class{Hooks: []int{2}}, "f: hook \"seed\", then restart without a build\n"},
		{"two hooks", false, classify.Class{Hooks: []int{1, 2}}, "f: hook \"css\", then hook \"seed\", then restart without a build\n"},
		{"hook on a Go file", false, classify.Class{Source: true, Hooks: []int{1}}, "f: hook \"css\", then rebuild, then restart if the program differs\n"},
		{"migration", false, classify.Class{Hooks: []int{3}}, "f: hook \"migrate\", then restart after the next build\n"},
		{"migration and generator", false, classify.Class{Hooks: []int{3, 0}}, "f: hook \"migrate\", then hook \"sqlc\", then rebuild, then restart\n"},
		{"new file", true, classify.Class{Source: true, Reason: "r"},
			"f: rebuild, then restart if the program differs\n  why: r\n  the file does not exist: this is what creating it would do\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := explanation("f", test.missing, test.class, hooks); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

// TestExplanationOfWhatPagesFetch: to restart on it is not all that can be done.
func TestExplanationOfWhatPagesFetch(t *testing.T) {
	for file, want := range map[string]string{
		"web/site.css": "only a reload of the page; devguard run --front does that\n",
		"web/LOGO.PNG": "devguard run --front does that for what front.reload names\n",
		"notes.txt":    "",
	} {
		class := classify.Class{Reason: "r", Suggest: `watch.include = ["x"]`}
		got := explanation(file, false, class, nil)
		if !strings.HasSuffix(got, want) || want == "" && strings.Contains(got, "--front") {
			t.Errorf("%s: %s", file, got)
		}
		class.Suggest = "" // nothing would have it watched
		if got := explanation(file, false, class, nil); strings.Contains(got, "--front") {
			t.Errorf("%s is outside: %s", file, got)
		}
	}
}

func TestExplainAsksForTheAbsolutePath(t *testing.T) {
	root := tree(t, map[string]string{"web/a.html": "", "b.go": ""})
	cfg := config.Default(filepath.Join(root, "web"))
	for file, want := range map[string]string{
		"a.html":                    "web/a.html",
		"./../b.go":                 "b.go",
		"new.html":                  "web/new.html",
		filepath.Join(root, "b.go"): "b.go",
	} {
		var asked string
		var w strings.Builder
		err := Explain(&w, cfg, file, func(path string) classify.Class { asked = path; return classify.Class{} })
		if err != nil || asked != filepath.Join(root, want) {
			t.Errorf("%s: asked for %s, %v", file, asked, err)
		}
		if missing := strings.Contains(w.String(), "does not exist"); missing != (file == "new.html") {
			t.Errorf("%s: %s", file, w.String())
		}
	}
}

func TestExplainDirectoryIsASentence(t *testing.T) {
	cfg := config.Default(tree(t, map[string]string{"web/a.html": ""}))
	var w strings.Builder
	err := Explain(&w, cfg, "web", func(string) classify.Class { t.Error("was classified"); return classify.Class{} })
	if err != nil || !strings.HasPrefix(w.String(), "web: a directory: ") {
		t.Errorf("got %q, %v", w.String(), err)
	}
}

func TestExplainReportsWhatItCannotSee(t *testing.T) {
	cfg := config.Default(tree(t, map[string]string{"file": ""}))
	err := Explain(new(strings.Builder), cfg, "file/below", func(string) classify.Class { return classify.Class{} })
	var path *os.PathError
	if !errors.As(err, &path) {
		t.Errorf("got %v", err)
	}
}
