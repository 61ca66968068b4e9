package fastbuild

import (
	"os"
	"path/filepath"
	"testing"
)

// TestLookAtADirectoryThatIsGone: that is an edit like any other.
func TestLookAtADirectoryThatIsGone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "p")
	file := filepath.Join(dir, "a.go")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("package p\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	p := &Plan{packages: []*Package{{Path: "m/p", Dir: dir, Files: []string{file}, Local: true}}}
	var err error
	if p.inputs, err = take([]input{{file, goSource}, {dir, goNames}, {dir, testNames}}); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	e, err := p.Look()
	if err != nil {
		t.Fatal(err)
	}
	if _, refused := p.Decide(e); refused == nil || refused.Kind != FilesCame {
		t.Errorf("got %v", refused)
	}
}
