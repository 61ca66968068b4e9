package fastbuild

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestOutsideIsLookedAt: whatever the go command looks at in a package of the module cache.
func TestOutsideIsLookedAt(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, dir string){
		"source":       func(t *testing.T, dir string) { write(t, filepath.Join(dir, "a.go"), "package p // edited\n") },
		"assembly":     func(t *testing.T, dir string) { write(t, filepath.Join(dir, "a.s"), "// edited\n") },
		"embedded":     func(t *testing.T, dir string) { write(t, filepath.Join(dir, "text"), "edited") },
		"file comes":   func(t *testing.T, dir string) { write(t, filepath.Join(dir, "b.go"), "package p\n") },
		"file removed": func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, "a.go")) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range map[string]string{"a.go": "package p\n", "a.s": "", "a_test.go": "", "text": ""} {
				write(t, filepath.Join(dir, name), text)
			}
			pkg := &Package{Path: "p", Dir: dir, Files: []string{filepath.Join(dir, "a.go")}}
			pkg.embed.files = map[string]string{"text": filepath.Join(dir, "text")}
			p := &Plan{packages: []*Package{pkg}}
			if err := p.takeOutside(time.Now().Add(coarseTick)); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, "a_test.go"), "package p\n")
			if err := p.outside.unchanged(); err != nil {
				t.Error(err)
			}
			change(t, dir)
			var refusal *Refusal
			if err := p.outside.unchanged(); !errors.As(err, &refusal) || refusal.Kind != Outside {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestOutsideIsOfBefore: what was written since the build began need not be in it.
func TestOutsideIsOfBefore(t *testing.T) {
	dir := t.TempDir()
	began := time.Now()
	write(t, filepath.Join(dir, "a.go"), "package p\n")
	p := &Plan{packages: []*Package{{Path: "p", Dir: dir, Files: []string{filepath.Join(dir, "a.go")}}}}
	var refusal *Refusal
	if err := p.takeOutside(began); !errors.As(err, &refusal) || refusal.Kind != Written {
		t.Errorf("got %v", err)
	}
}
