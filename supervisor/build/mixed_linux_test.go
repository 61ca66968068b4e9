package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// held is a -toolexec. A compile of the package lib or of main says that it has begun and waits for
// leave, if the directory has a pipe for it.
const held = `#!/bin/sh
for name in lib main; do
	case "$*" in *-V=full*) ;; *" -p example.com/app/$name "*|*" -p $name "*)
		if [ -p "%[1]s/$name" ]; then echo >"%[1]s/$name.begun"; read leave <"%[1]s/$name"; fi;;
	esac
done
exec "$@"
`

const (
	usesLib = "package main\n\nimport \"example.com/app/lib\"\n\nfunc main() { println(lib.V()) }\n"
	saysNew = "package lib\n\nfunc V() string { return \"new\" }\n"
	saysOld = "package lib\n\nfunc V() string { return \"old\" }\n"
	embeds  = "package lib\n\nimport _ \"embed\"\n\n//go:embed data/note\nvar note string\n\nfunc V() string { return note }\n"
)

// TestWrittenWhileCompiled: what is written between the hash of a package and its compile, and then
// taken back, is in no later build, be it devguard's or the user's.
func TestWrittenWhileCompiled(t *testing.T) {
	write := func(name, text string) func(*project) {
		return func(p *project) { p.write(name, text) }
	}
	for _, tt := range []struct {
		name          string
		files         []string
		write, revert func(*project)
		flags         []string
	}{
		{"a Go file", []string{"lib/lib.go", saysOld}, write("lib/lib.go", saysNew), write("lib/lib.go", saysOld), nil},
		{"with -trimpath", []string{"lib/lib.go", saysOld}, write("lib/lib.go", saysNew), write("lib/lib.go", saysOld), []string{"-trimpath"}},
		{"an embedded file", []string{"lib/lib.go", embeds, "lib/data/note", "old"}, write("lib/data/note", "new"), write("lib/data/note", "old"), nil},
		{"moved to its place", []string{"lib/lib.go", saysOld, "other", saysNew}, func(p *project) {
			p.rename("lib/lib.go", "first")
			p.rename("other", "lib/lib.go")
		}, func(p *project) { p.rename("first", "lib/lib.go") }, nil},
		{"taken back before the end", []string{"lib/lib.go", saysOld}, write("lib/lib.go", saysNew), nil, nil},
	} {
		for _, cancelled := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, cancelled=%v", tt.name, cancelled), func(t *testing.T) {
				t.Parallel()
				p := newProject(t, append([]string{"go.mod", goMod, "main.go", usesLib}, tt.files...)...)
				p.write("lib/own.go", fmt.Sprintf("package lib\n\nfunc Own() string { return %q }\n", p.dir)) // with -trimpath nothing else tells projects apart
				h := p.hold()
				r := p.request(append(tt.flags, "-toolexec="+h.tool)...)
				r.Sources = p.sources()
				ctx, cancel := context.WithCancelCause(context.Background())
				defer cancel(nil)
				done := make(chan Result, 1)
				go func() {
					defer h.end()
					done <- Run(ctx, r)
				}()
				h.begun("lib")
				tt.write(p)
				h.leave("lib")
				h.begun("main")
				if tt.revert == nil {
					p.write("lib/lib.go", saysOld)
				}
				if cancelled {
					cancel(errors.New("a newer change"))
				} else {
					h.leave("main")
				}
				res := <-done
				if !cancelled && (res.Err != nil || prints(t, res.Out) != "new") {
					t.Fatalf("the compiler did not read what was written: %v\n%s", res.Err, res.Output)
				}
				if strings.Contains(res.Output, "WORK=") {
					t.Errorf("output %q", res.Output)
				}
				checkClean(t, r)
				if tt.revert != nil {
					tt.revert(p)
				}
				os.Remove(h.pipe("lib"))
				os.Remove(h.pipe("main"))
				again := p.request(tt.flags...)
				if got := prints(t, p.build(again).Out); got != "old" {
					t.Errorf("after it was taken back, the program says %q", got)
				}
			})
		}
	}
}

// TestWrittenBefore: what was compiled of files that nobody has written meanwhile stays in the cache.
func TestWrittenBefore(t *testing.T) {
	p := newProject(t, "go.mod", goMod, "main.go", usesLib, "lib/lib.go", saysOld)
	r := p.request()
	r.Sources = p.sources()
	p.build(r)
	again := p.request("-v")
	if out := p.build(again).Output; strings.Contains(out, "example.com") {
		t.Errorf("compiled again: %s", out)
	}
}

// TestNamesGoFile: a directory is not the one above it.
func TestNamesGoFile(t *testing.T) {
	for object, want := range map[string]bool{
		"":                                   false,
		"..gofile../src/app/main.go":         true,
		"..gofile../src/app/lib/lib.go":      false,
		"/src/app/lib/lib.go/src/app/x.goab": true,
		"/src/app/":                          false,
		"/src/app/" + strings.Repeat("x", 300) + ".go": false,
	} {
		if got := namesGoFile([]byte(object), "/src/app/"); got != want {
			t.Errorf("%q: %v", object, got)
		}
	}
}

func (p *project) rename(from, to string) {
	p.t.Helper()
	if err := os.Rename(filepath.Join(p.dir, from), filepath.Join(p.dir, to)); err != nil {
		p.t.Fatal(err)
	}
}

// sources are the project's, as the graph has them.
func (p *project) sources() Sources {
	var files []string
	for _, name := range []string{"main.go", "lib/lib.go", "lib/data/note"} {
		if _, err := os.Stat(filepath.Join(p.dir, name)); err == nil {
			files = append(files, filepath.Join(p.dir, name))
		}
	}
	return Sources{
		Packages: []Package{{"example.com/app", p.dir}, {"example.com/app/lib", filepath.Join(p.dir, "lib")}},
		Files:    slices.Values(files),
	}
}

// holding has compiles wait.
type holding struct {
	p    *project
	dir  string
	tool string
}

func (p *project) hold() holding {
	p.t.Helper()
	h := holding{p, p.t.TempDir(), ""}
	h.tool = filepath.Join(h.dir, "held")
	if err := os.WriteFile(h.tool, fmt.Appendf(nil, held, h.dir), 0o755); err != nil {
		p.t.Fatal(err)
	}
	for _, name := range []string{"lib", "main", "lib.begun", "main.begun"} {
		if out, err := exec.Command("mkfifo", h.pipe(name)).CombinedOutput(); err != nil {
			p.t.Fatalf("mkfifo: %v\n%s", err, out)
		}
	}
	return h
}

func (h holding) pipe(name string) string { return filepath.Join(h.dir, name) }

// begun waits until the compile of a package has begun.
func (h holding) begun(name string) {
	h.p.t.Helper()
	b, err := os.ReadFile(h.pipe(name + ".begun"))
	if err != nil || string(b) != "\n" {
		h.p.t.Fatalf("the compile of %s did not begin: %q, %v", name, b, err)
	}
}

// end ends the wait for compiles that the build did without.
func (h holding) end() {
	for _, name := range []string{"lib", "main"} {
		if f, err := os.OpenFile(h.pipe(name+".begun"), os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil { // else nobody reads
			f.Close()
		}
	}
}

func (h holding) leave(name string) {
	h.p.t.Helper()
	if err := os.WriteFile(h.pipe(name), []byte("go\n"), 0o600); err != nil {
		h.p.t.Fatal(err)
	}
}
