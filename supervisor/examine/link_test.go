package examine

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/devguard/devguard/supervisor/graph"
)

// TestWeigh: three modules, of which a tag leaves out one, a tag seems to leave out another one, and with
// a third tag the program does not load.
func TestWeigh(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := map[string]string{
		"go.mod":          "module example.com/app\n\ngo 1.25\n",
		"main.go":         "package main\n\nfunc main() {}\n",
		"x.go":            "//go:build !slim\n\npackage main\n\nimport _ \"example.com/x\"\n",
		"y.go":            "//go:build !thin\n\npackage main\n\nimport _ \"example.com/y\"\n",
		"thin.go":         "//go:build thin\n\npackage main\n\nimport _ \"example.com/app/other\"\n",
		"other/o.go":      "package other\n\nimport _ \"example.com/y\"\n",
		"z.go":            "//go:build !none\n\npackage main\n\nimport _ \"example.com/z\"\n",
		"none.go":         "//go:build none\n\npackage main\n\nimport _ \"example.com/nowhere\"\n",
		"nested/again.go": "package nested\n",
	}
	for _, m := range []string{"x", "y", "z"} {
		path := "example.com/" + m
		files["go.mod"] += fmt.Sprintf("\nrequire %s v0.0.0\n\nreplace %s => ./%s\n", path, path, m)
		files[m+"/go.mod"] = "module " + path + "\n\ngo 1.25\n"
		files[m+"/m.go"] = "package m\n"
		for i := range 5 { // enough for a twentieth of it all
			files[m+"/m.go"] += fmt.Sprintf("\nimport _ \"%s/p%d\"\n", path, i)
			files[fmt.Sprintf("%s/p%d/p.go", m, i)] = "package p\n"
		}
	}
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	l := weigh(t.Context(), graph.Request{Dir: dir, Flags: []string{"-tags=a"}, Env: append(os.Environ(), "GOFLAGS=", "GOWORK=off", "GOPROXY=off")})
	if l == nil || len(l.Modules) != 3 || l.Bytes != 0 || fmt.Sprint(l.Tags) != "[a]" {
		t.Fatalf("%+v", l)
	}
	for _, m := range l.Modules {
		switch {
		case m.Packages != 6 || m.Bytes != 0 || m.Within != "":
			t.Errorf("%+v", m)
		case m.Path != "example.com/x" && m.Exit != nil:
			t.Errorf("%s stays, but is said to be left out by %+v", m.Path, m.Exit)
		case m.Path == "example.com/x" && (m.Exit == nil || m.Exit.Tag != "slim" || m.Exit.File != filepath.Join(dir, "x.go") || m.Exit.Packages != l.Packages-6):
			t.Errorf("%+v", m.Exit)
		}
	}
}
