package dbguard

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	ourModule = "github.com/devguard/devguard"
	pgxModule = "github.com/jackc/pgx/v5"
)

// offline is what makes the go command use the module cache alone.
var offline = []string{"GOPROXY=off", "GOSUMDB=off"}

func tryGo(t *testing.T, dir string, env []string, args ...string) (stdout, stderr string, err error) {
	cmd := exec.CommandContext(testContext(t), "go", args...)
	cmd.Dir = dir
	flags := "GOFLAGS=-mod=readonly" // our own files stay as they are
	if dir != "." {
		flags = "GOFLAGS=-mod=mod"
	}
	cmd.Env = append(append(os.Environ(), flags, "GOWORK=off", "GOTOOLCHAIN=local"), env...)
	var out, problems strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &problems
	err = cmd.Run()
	return out.String(), problems.String(), err
}

// goTool runs the go command offline: what an app needs of us is what we needed.
func goTool(t *testing.T, dir string, args ...string) string {
	t.Helper()
	stdout, stderr, err := tryGo(t, dir, offline, args...)
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, stderr)
	}
	return stdout
}

// tidy is go mod tidy, which also reads the go.mod of modules that only the tests of
// others need: a module cache that has built us need not have those.
func tidy(t *testing.T, dir string) {
	t.Helper()
	_, stderr, err := tryGo(t, dir, offline, "mod", "tidy")
	if err != nil && strings.Contains(stderr, "disabled by GOPROXY=off") {
		_, stderr, err = tryGo(t, dir, nil, "mod", "tidy")
	}
	if err != nil {
		t.Fatalf("go mod tidy: %v\n%s", err, stderr)
	}
}

// foreign returns the packages that a package needs beside the standard library.
func foreign(t *testing.T, packages ...string) []string {
	t.Helper()
	list := append([]string{"list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}"}, packages...)
	return strings.Fields(goTool(t, ".", list...))
}

func TestNeedsPgxAlone(t *testing.T) {
	allowed := foreign(t, pgxModule+"/pgxpool")
	for _, pkg := range foreign(t, ".") {
		if pkg != ourModule+"/dbguard" && !slices.Contains(allowed, pkg) {
			t.Errorf("dbguard needs %s, which pgx does not", pkg)
		}
	}
}

// TestAnAppInheritsPgxAlone builds a module that requires ours for dbguard, and looks
// at what it has to name.
func TestAnAppInheritsPgxAlone(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":  "module example.com/app\n\ngo 1.25.0\n\nrequire " + ourModule + " v0.0.0\n\nreplace " + ourModule + " => " + root + "\n",
		"main.go": "package main\n\nimport (\n\t\"context\"\n\n\t\"" + ourModule + "/dbguard\"\n)\n\nfunc main() { _, _ = dbguard.Open(context.Background()) }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tidy(t, dir)
	goTool(t, dir, "build", "-o", filepath.Join(dir, "app"), ".")
	allowed := append(requirements(t, ".", pgxModule), ourModule, pgxModule)
	for _, m := range required(t, filepath.Join(dir, "go.mod")) {
		if !slices.Contains(allowed, m) {
			t.Errorf("an app that imports dbguard has to require %s", m)
		}
	}
}

// requirements returns what a module of ours requires.
func requirements(t *testing.T, dir, module string) []string {
	t.Helper()
	return required(t, strings.TrimSpace(goTool(t, dir, "list", "-m", "-f", "{{.GoMod}}", module)))
}

// required returns the modules that a go.mod names.
func required(t *testing.T, file string) (modules []string) {
	t.Helper()
	var mod struct{ Require []struct{ Path string } }
	if err := json.Unmarshal([]byte(goTool(t, ".", "mod", "edit", "-json", file)), &mod); err != nil {
		t.Fatal(err)
	}
	for _, r := range mod.Require {
		modules = append(modules, r.Path)
	}
	if len(modules) == 0 {
		t.Fatalf("%s requires nothing", file)
	}
	return modules
}
