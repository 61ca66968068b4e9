package fastbuild

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
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

// TestLookAtExcludedFiles: of these the go command only reads why they are.
func TestLookAtExcludedFiles(t *testing.T) {
	const source = "//go:build windows\n\npackage p\n\nimport \"os\"\n\nvar V = 1\n"
	for name, test := range map[string]struct {
		to   string
		kind Kind
	}{
		"body":       {"//go:build windows\n\npackage p\n\nimport \"os\"\n\n// C.\nvar V = 2\n", Unchanged},
		"constraint": {"//go:build linux\n\npackage p\n\nimport \"os\"\n\nvar V = 1\n", NotCompiled},
		"clause":     {"//go:build windows\n\npackage q\n\nimport \"os\"\n\nvar V = 1\n", NotCompiled},
		"cgo":        {"//go:build windows\n\npackage p\n\nimport \"C\"\n\nvar V = 1\n", NotCompiled},
		"mistake":    {"//go:build windows\n\npackage p\n\nimport os\n", NotCompiled},
	} {
		dir := t.TempDir()
		compiled, other := filepath.Join(dir, "a.go"), filepath.Join(dir, "b.go")
		write(t, compiled, "package p\n")
		write(t, other, source)
		pkg := &Package{Path: "m/p", Dir: dir, Files: []string{compiled}, Local: true}
		inputs := map[input]bool{}
		if err := pkg.addInputs(inputs); err != nil {
			t.Fatal(err)
		}
		p := &Plan{packages: []*Package{pkg}}
		var err error
		if p.inputs, err = take(slices.Collect(maps.Keys(inputs))); err != nil {
			t.Fatal(err)
		}
		write(t, other, test.to)
		e, err := p.Look()
		if err != nil {
			t.Fatal(err)
		}
		if _, refused := p.Decide(e); refused == nil || refused.Kind != test.kind {
			t.Errorf("%s: %v", name, refused)
		}
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
