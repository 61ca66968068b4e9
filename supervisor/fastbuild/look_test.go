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

// TestLookAtConstraintsOfTests: one that the go command refuses to read, of a test file that is new or changed.
func TestLookAtConstraintsOfTests(t *testing.T) {
	const good = "//go:build linux && !race\n\npackage p\n"
	for text, readable := range map[string]bool{
		good:                                 true,
		"package p\n\n//go:build linux &&\n": true, // a comment, there
		"//go:build linux &&\n\npackage p\n": false,
		"//go:build\n\npackage p\n":          false,
		"//go:build linux\n//go:build !race\n\npackage p\n": false,
		"/* of p */\n//go:build linux (\npackage p\n":       false,
	} {
		for _, before := range []string{"", good} {
			if refused := lookAtTest(t, before, text); (refused.Kind == Unchanged) != readable {
				t.Errorf("%q after %q: %v", text, before, refused)
			}
		}
	}
}

// lookAtTest returns why a build is refused once a test file of a package has changed.
func lookAtTest(t *testing.T, before, after string) *Refusal {
	t.Helper()
	dir := t.TempDir()
	source, test := filepath.Join(dir, "a.go"), filepath.Join(dir, "a_test.go")
	write(t, source, "package p\n")
	inputs := []input{{source, goSource}, {dir, goNames}, {dir, testNames}}
	if before != "" {
		write(t, test, before)
		inputs = append(inputs, input{test, testHeader})
	}
	p := &Plan{packages: []*Package{{Path: "m/p", Dir: dir, Files: []string{source}, Local: true}}}
	var err error
	if p.inputs, err = take(inputs); err != nil {
		t.Fatal(err)
	}
	write(t, test, after)
	e, err := p.Look()
	if err != nil {
		t.Fatal(err)
	}
	_, refused := p.Decide(e)
	return refused
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
