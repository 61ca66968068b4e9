package build

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/devguard/devguard/supervisor/logline/logtest"
)

// TestFailures: what is wrong, where, and what to do next.
func TestFailures(t *testing.T) {
	tests := []struct {
		name  string
		files []string
		spoil func(p *project, r *Request)
		want  []string
	}{
		{"does not compile", []string{"go.mod", goMod, "main.go", "package main\n\nfunc main() {\n\tx\n\ty\n}\n"}, nil,
			[]string{"main.go:4:2: undefined: x", "(and 1 more)"}},
		{"broken go.mod", []string{"go.mod", "modul x\n", "main.go", hello}, nil, []string{"go.mod:1: unknown directive: modul"}},
		{"not main", []string{"go.mod", goMod, "lib.go", "package lib\n"}, nil, []string{"the package is not main"}},
		{"unknown flag", []string{"go.mod", goMod, "main.go", hello}, func(_ *project, r *Request) { r.Flags = []string{"-rac"} },
			[]string{"-rac"}},
		{"-o", []string{"go.mod", goMod, "main.go", hello}, func(_ *project, r *Request) { r.Flags = []string{"-o=x"} },
			[]string{"build.flags: -o cannot be used"}},
		{"broken GOFLAGS", []string{"go.mod", goMod, "main.go", hello}, func(p *project, r *Request) { r.Env = append(p.env, "GOFLAGS=oops") },
			[]string{"parsing $GOFLAGS", "oops"}},
		{"no directory", nil, func(p *project, r *Request) { r.Dir = filepath.Join(p.dir, "gone") }, []string{"the directory to build in is gone"}},
		{"directory is a file", []string{"go.mod", goMod}, func(p *project, r *Request) { r.Dir = filepath.Join(p.dir, "go.mod") }, []string{"is a file"}},
		{"no place for the output", []string{"go.mod", goMod, "main.go", hello},
			func(p *project, r *Request) { r.Out = filepath.Join(p.dir, "go.mod", "app") }, []string{"make a directory for the build", "go.mod"}},
		{"output is a directory", []string{"go.mod", goMod, "main.go", hello},
			func(p *project, r *Request) { p.write("out/app/x", ""); r.Out = filepath.Join(p.dir, "out", "app") }, []string{"out"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newProject(t, tt.files...)
			r := p.request()
			if tt.spoil != nil {
				tt.spoil(p, &r)
			}
			res := Run(context.Background(), r)
			if res.Err == nil {
				t.Fatal("no error")
			}
			checkClean(t, r)
			for _, want := range tt.want {
				if !strings.Contains(res.Err.Error(), want) {
					t.Errorf("error %q does not say %q", res.Err, want)
				}
			}
			if res.Out != "" || !res.Digest.IsZero() || res.Cancelled {
				t.Errorf("a failed build has a result: %+v", res)
			}
		})
	}
}

func TestNoToolchain(t *testing.T) {
	p := newProject(t, "go.mod", goMod, "main.go", hello)
	t.Setenv("PATH", t.TempDir())
	res := p.fail(p.request())
	if !errors.Is(res.Err, exec.ErrNotFound) || !strings.Contains(logtest.Text(res.Err), "install Go from") {
		t.Errorf("error: %v", res.Err)
	}
}

// TestExplain: what cannot be provoked safely.
func TestExplain(t *testing.T) {
	exit := exec.Command("go", "nonsense").Run()
	tests := []struct{ output, want, hint string }{
		{"# p\nwrite $WORK/b001/_pkg_.a: no space left on device\n", "the disk is full", "make room where the build writes: /state, /tmp/b"},
		{"# p\nopen /state/app: permission denied\n", "the build may not write or read a file: open /state/app: permission denied", "GOCACHE"},
		{"open /src/main.go: permission denied\n", "a source file cannot be read: open /src/main.go: permission denied", "ls -l /src/main.go"},
		{"error obtaining VCS status: exit status 128\n\tUse -buildvcs=false to disable VCS stamping.\n", "git does not say which commit this is", "-buildvcs=false"},
		{"mkdir /root/.cache/go-build: read-only file system\n", "may not write or read a file", "GOCACHE"},
		{"go: cannot determine current directory: getwd: no such file or directory\n", "the directory to build in is gone: /: ", "bring / back"},
		{"main.go:1:2: undefined: \"permission denied\"\n", "main.go:1:2: undefined", ""},
		{"", "go build: exit status 2", ""},
	}
	for _, tt := range tests {
		r := Request{Dir: "/", Out: "/state/app", Tmp: "/tmp/b"}
		err := explain(exit, r, Result{Output: tt.output, Diagnostics: Parse(tt.output, "/")})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %q", tt.output, err, tt.want)
		}
		var hinted interface{ Hint() string }
		if errors.As(err, &hinted) != (tt.hint != "") || tt.hint != "" && !strings.Contains(hinted.Hint(), tt.hint) {
			t.Errorf("%q: the hint of %v is not about %q", tt.output, err, tt.hint)
		}
	}
}

// TestSymlinkedDir: messages name files as the user sees them from where they
// are, also when that is a symbolic link.
func TestSymlinkedDir(t *testing.T) {
	p := newProject(t, "go.mod", goMod, "lib/lib.go", "package lib\n\nvar V = x\n",
		"main.go", "package main\n\nimport _ \"example.com/app/lib\"\n\nfunc main() {}\n")
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(p.dir, link); err != nil {
		t.Fatal(err)
	}
	r := p.request()
	r.Dir = link
	if d := p.fail(r).Diagnostics; len(d) != 1 || d[0].File != "lib/lib.go" || d[0].Line != 3 || d[0].Package != "example.com/app/lib" {
		t.Errorf("diagnostics: %+v", d)
	}
}
