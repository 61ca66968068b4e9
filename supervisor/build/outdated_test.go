package build

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestOutdatedIndex: the go command has kept what was in a directory, and does not notice that there is
// something else, of the same size and time. It is built all the same, and what is said to be done about
// `go build` helps.
func TestOutdatedIndex(t *testing.T) {
	t.Parallel()
	const here, never = "//go:build unix || windows\n\npackage a\n", "//go:build never || neithe\n\npackage a\n"
	p := newProject(t, "go.mod", goMod, "main.go", "package main\n\nimport _ \"example.com/app/a\"\n\nfunc main() {}\n", "a/a.go", never)
	file := filepath.Join(p.dir, "a", "a.go")
	old := time.Now().Add(-time.Minute) // what is younger than 2 s is not kept
	if err := os.Chtimes(file, old, old); err != nil {
		t.Fatal(err)
	}
	const excluded = "build constraints exclude all Go files"
	if res := Run(context.Background(), p.request()); res.Err == nil || res.Warning != nil || !strings.Contains(res.Output, excluded) {
		t.Fatalf("the package has no files: %v, %v", res.Err, res.Warning)
	}
	p.write("a/a.go", here)
	if err := os.Chtimes(file, old, old); err != nil {
		t.Fatal(err)
	}
	if out, err := p.goBuild(); err == nil || !strings.Contains(out, excluded) {
		t.Fatalf("control: the go command notices: %v %s", err, out)
	}
	res := Run(context.Background(), p.request())
	if res.Err != nil || res.Warning == nil || !strings.Contains(res.Warning.Error(), excluded+" in "+filepath.Dir(file)) {
		t.Fatalf("%v, %v", res.Err, res.Warning)
	}
	var hint interface{ Hint() string }
	if !errors.As(res.Warning, &hint) || !strings.HasPrefix(hint.Hint(), "if `go build` says so as well, touch a file of that package") {
		t.Fatalf("no hint: %v", res.Warning)
	}
	if err := os.Chtimes(file, time.Now(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if out, err := p.goBuild(); err != nil {
		t.Errorf("after the touch: %v %s", err, out)
	}
	if res := Run(context.Background(), p.request()); res.Err != nil || res.Warning != nil {
		t.Errorf("after the touch: %v, %v", res.Err, res.Warning)
	}
}

func (p *project) goBuild() (string, error) {
	cmd := exec.Command("go", "build", "-o", filepath.Join(p.t.TempDir(), "app"), ".")
	cmd.Dir, cmd.Env = p.dir, p.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}
