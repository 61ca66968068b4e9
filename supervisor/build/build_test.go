package build

import (
	"context"
	"debug/buildinfo"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/devguard/devguard/supervisor/testneed"
)

const (
	goMod = "module example.com/app\n\ngo 1.25\n"
	hello = "package main\n\nvar v = \"none\"\n\n// one\nfunc main() { println(v) }\n"
)

// project is a directory of source files to build.
type project struct {
	t   *testing.T
	dir string
	env []string
}

// newProject writes files, given as name, contents, name, contents ...
func newProject(t *testing.T, files ...string) *project {
	t.Helper()
	p := &project{t: t, dir: t.TempDir()}
	p.write(files...)
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if name != "GOGC" && name != "GOFLAGS" && name != "GOWORK" && name != "GOENV" {
			p.env = append(p.env, kv)
		}
	}
	p.env = append(p.env, "GOENV=off")
	return p
}

func (p *project) write(files ...string) {
	p.t.Helper()
	for i := 0; i < len(files); i += 2 {
		name := filepath.Join(p.dir, files[i])
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			p.t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(files[i+1]), 0o666); err != nil {
			p.t.Fatal(err)
		}
	}
}

func (p *project) request(flags ...string) Request {
	state := p.t.TempDir()
	return Request{
		Dir: p.dir, Out: filepath.Join(state, "out", "app"), Flags: flags, Env: p.env, Tmp: filepath.Join(state, "tmp"),
	}
}

// build builds, must succeed, and checks what Run promises of every build.
func (p *project) build(r Request) Result {
	p.t.Helper()
	res := Run(context.Background(), r)
	if res.Err != nil {
		p.t.Fatalf("build: %v\n%s", res.Err, res.Output)
	}
	checkClean(p.t, r)
	return res
}

// fail builds and must fail.
func (p *project) fail(r Request) Result {
	p.t.Helper()
	res := Run(context.Background(), r)
	if res.Err == nil {
		p.t.Fatalf("build succeeded: %s", res.Output)
	}
	checkClean(p.t, r)
	if _, err := os.Lstat(r.Out); err == nil {
		p.t.Errorf("a failed build left %s", r.Out)
	}
	return res
}

func checkClean(t *testing.T, r Request) {
	t.Helper()
	entries, err := os.ReadDir(r.Tmp)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("the build left %s in its temporary directory", e.Name())
	}
}

// prints runs a program and returns what it printed.
func prints(t *testing.T, path string) string {
	t.Helper()
	out, err := exec.Command(path).CombinedOutput()
	if err != nil {
		t.Fatalf("run %s: %v\n%s", path, err, out)
	}
	return strings.TrimSpace(string(out))
}

func settings(t *testing.T, path string) map[string]string {
	t.Helper()
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]string{}
	for _, s := range info.Settings {
		m[s.Key] = s.Value
	}
	return m
}

func hasDWARF(t *testing.T, path string) bool {
	t.Helper()
	if runtime.GOOS != "linux" {
		testneed.Skip(t, "linux", "reads ELF")
	}
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return f.Section(".debug_info") != nil || f.Section(".zdebug_info") != nil
}

// TestFlagMerge looks at binaries: which ldflags the go command used, whether
// DWARF is there, what -X set.
func TestFlagMerge(t *testing.T) {
	tests := []struct {
		name    string
		flags   []string
		goflags string
		ldflags string // as recorded in the binary
		dwarf   bool
		prints  string
	}{
		{name: "none", ldflags: "-w"},
		{name: "user's", flags: []string{"-ldflags=-X main.v=flag"}, ldflags: "-w -X main.v=flag", prints: "flag"},
		{name: "two words", flags: []string{"-ldflags", "-X 'main.v=a b'"}, ldflags: "-w -X 'main.v=a b'", prints: "a b"},
		{name: "two dashes", flags: []string{"--ldflags=-X main.v=two"}, ldflags: "-w -X main.v=two", prints: "two"},
		{name: "-w=false wins", flags: []string{"-ldflags=-w=false"}, ldflags: "-w -w=false", dwarf: true},
		{name: "the last wins", flags: []string{"-ldflags=-X main.v=1", "-ldflags=-X main.v=2"}, ldflags: "-w -X main.v=2", prints: "2"},
		{name: "the last is empty", flags: []string{"-ldflags=-X main.v=1", "-ldflags="}, ldflags: "-w"},
		{name: "GOFLAGS", goflags: "'-ldflags=-X main.v=env'", ldflags: "-w -X main.v=env", prints: "env"},
		{name: "flags before GOFLAGS", flags: []string{"-ldflags=-X main.v=flag"}, goflags: "'-ldflags=-X main.v=env'",
			ldflags: "-w -X main.v=flag", prints: "flag"},
		{name: "pattern", flags: []string{"-ldflags=all=-X main.v=all"}, ldflags: "all=-X main.v=all", dwarf: true, prints: "all"},
		{name: "pattern of others", flags: []string{"-ldflags=other/...=-s"}, ldflags: "-w"},
		{name: "pattern in GOFLAGS", goflags: "'-ldflags=all=-X main.v=all'", ldflags: "all=-X main.v=all", dwarf: true, prints: "all"},
		{name: "plain after a pattern in GOFLAGS", flags: []string{"-ldflags=-X main.v=flag"}, goflags: "-ldflags=all=-s",
			ldflags: "-w -X main.v=flag", prints: "flag"},
	}
	p := newProject(t, "go.mod", goMod, "main.go", hello)
	env := p.env
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p.env = append(env[:len(env):len(env)], "GOFLAGS="+tt.goflags)
			res := p.build(p.request(tt.flags...))
			// Recorded is the raw text of the last -ldflags, so for patterns only what the linker did counts.
			if got := settings(t, res.Out)["-ldflags"]; !strings.Contains(tt.name, "pattern") && got != tt.ldflags {
				t.Errorf("linked with %q, want %q", got, tt.ldflags)
			}
			want := tt.prints
			if want == "" {
				want = "none"
			}
			if got := prints(t, res.Out); got != want {
				t.Errorf("prints %q, want %q", got, want)
			}
			if got := hasDWARF(t, res.Out); got != tt.dwarf {
				t.Errorf("DWARF present: %v, want %v", got, tt.dwarf)
			}
		})
	}
}

// TestVCS builds in a git repository: stamped only when the user asks.
func TestVCS(t *testing.T) {
	p := newProject(t, "go.mod", goMod, "main.go", hello)
	for _, args := range [][]string{{"init", "-q"}, {"add", "."},
		{"-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-q", "-m", "x"}} {
		cmd := exec.Command("git", args...)
		cmd.Dir = p.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			testneed.Skip(t, "git", fmt.Errorf("git %v: %w\n%s", args, err, out))
		}
	}
	env := p.env
	for _, tt := range []struct {
		name, flag, goflags string
		stamped             bool
	}{
		{name: "default"}, {name: "flag", flag: "-buildvcs", stamped: true}, {name: "GOFLAGS", goflags: "-buildvcs=true", stamped: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var flags []string
			if tt.flag != "" {
				flags = append(flags, tt.flag)
			}
			p.env = append(env[:len(env):len(env)], "GOFLAGS="+tt.goflags)
			_, stamped := settings(t, p.build(p.request(flags...)).Out)["vcs.revision"]
			if stamped != tt.stamped {
				t.Errorf("stamped: %v, want %v", stamped, tt.stamped)
			}
		})
	}
}

func TestKinds(t *testing.T) {
	tagged := []string{"go.mod", goMod, "main.go", hello,
		"on.go", "//go:build special\n\npackage main\n\nfunc init() { v = \"special\" }\n"}
	tests := []struct {
		name   string
		files  []string
		flags  []string
		env    string
		sub    string // directory to build in
		prints string
	}{
		{name: "-tags", files: tagged, flags: []string{"-tags", "special"}, prints: "special"},
		{name: "GOFLAGS=-tags", files: tagged, env: "GOFLAGS=-tags=special", prints: "special"},
		{name: "-race", files: []string{"go.mod", goMod, "main.go", hello,
			"race.go", "//go:build race\n\npackage main\n\nfunc init() { v = \"race\" }\n"}, flags: []string{"-race"}, prints: "race"},
		{name: "cgo", files: []string{"go.mod", goMod,
			"main.go", "package main\n\n// int three(void);\nimport \"C\"\n\nfunc main() { println(C.three()) }\n",
			"three.c", "int three(void) { return 3; }\n"}, prints: "3"},
		{name: "vendor", files: []string{"go.mod", goMod + "\nrequire example.com/dep v1.0.0\n",
			"main.go", "package main\n\nimport \"example.com/dep\"\n\nfunc main() { println(dep.V) }\n",
			"vendor/modules.txt", "# example.com/dep v1.0.0\n## explicit\nexample.com/dep\n",
			"vendor/example.com/dep/dep.go", "package dep\n\nconst V = \"vendored\"\n"}, prints: "vendored"},
		{name: "go.work", files: []string{"go.work", "go 1.25\n\nuse (\n\t./app\n\t./lib\n)\n",
			"app/go.mod", goMod, "app/main.go", "package main\n\nimport \"example.com/lib\"\n\nfunc main() { println(lib.V) }\n",
			"lib/go.mod", "module example.com/lib\n\ngo 1.25\n", "lib/lib.go", "package lib\n\nconst V = \"work\"\n"},
			sub: "app", prints: "work"},
		{name: "embed", files: []string{"go.mod", goMod, "page.html", "<p>",
			"main.go", "package main\n\nimport _ \"embed\"\n\n//go:embed page.html\nvar page string\n\nfunc main() { println(page) }\n"}, prints: "<p>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.name == "-race" && !(runtime.GOOS == "linux" && runtime.GOARCH == "amd64") {
				testneed.Skip(t, "race", "the race detector is not everywhere")
			}
			p := newProject(t, tt.files...)
			if tt.env != "" {
				p.env = append(p.env, tt.env)
			}
			r := p.request(tt.flags...)
			r.Dir = filepath.Join(p.dir, tt.sub)
			if got := prints(t, p.build(r).Out); got != tt.prints {
				t.Errorf("prints %q, want %q", got, tt.prints)
			}
		})
	}
}

// TestGoflagsOfFile: GOFLAGS set with `go env -w` counts, and is not asked for
// when the caller knows it.
func TestGoflagsOfFile(t *testing.T) {
	p := newProject(t, "go.mod", goMod, "main.go", hello, "env", "GOFLAGS='-ldflags=-X main.v=file'\n")
	p.env = append(p.env, "GOENV="+filepath.Join(p.dir, "env"))
	goflags, err := Goflags(context.Background(), p.dir, p.env)
	if err != nil {
		t.Fatal(err)
	}
	asked, known := p.request(), p.request()
	known.Goflags = &goflags
	for _, r := range []Request{asked, known} {
		res := p.build(r)
		if got := prints(t, res.Out); got != "file" {
			t.Errorf("prints %q, want file", got)
		}
		if hasDWARF(t, res.Out) {
			t.Error("linked without -w")
		}
	}
}

func TestProgress(t *testing.T) {
	p := newProject(t, "go.mod", goMod, "a/a.go", "package a\n\nimport \"unicode/utf8\"\n\nvar V = utf8.RuneLen('a') // "+t.TempDir()+"\n",
		"main.go", "package main\n\nimport \"example.com/app/a\"\n\nfunc main() { println(a.V) }\n")
	r := p.request()
	var done, total int
	r.Progress = func(d, n int) {
		if d < done || n < d {
			t.Errorf("progress went from %d to %d of %d", done, d, n)
		}
		done, total = d, n
	}
	if res := p.build(r); res.Output != "" {
		t.Errorf("the names of packages are in the output: %q", res.Output)
	}
	if done == 0 || done != total {
		t.Errorf("done with %d of %d", done, total)
	}
	p.write("a/a.go", "package a\n\nvar V = 5 // "+t.TempDir()+"\n")
	r = p.request("-v")
	r.Progress = func(int, int) {}
	if res := p.build(r); !strings.Contains(res.Output, "example.com/app/a\n") {
		t.Errorf("the names that -v asks for are missing: %q", res.Output)
	}
	p.write("a/a.go", "package a\n\nvar V = undefined\n")
	r = p.request()
	r.Progress = func(int, int) {}
	if res := p.fail(r); res.Output != "# example.com/app/a\na/a.go:3:9: undefined: undefined\n" {
		t.Errorf("output: %q", res.Output)
	}
}

// TestAgain: a later build is given more memory, unless the user has said how
// much.
func TestAgain(t *testing.T) {
	if runtime.GOOS == "windows" {
		testneed.Skip(t, "shell", "this is Windows")
	}
	p := newProject(t, "go.mod", goMod, "main.go", hello)
	log, tool := filepath.Join(t.TempDir(), "log"), filepath.Join(t.TempDir(), "tool")
	if err := os.WriteFile(tool, []byte("#!/bin/sh\necho \"$GOGC\" >"+log+"\nexec \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ again, user, want string }{
		{"", "", ""}, {"again", "", "1000"}, {"again", "50", "50"},
	} {
		r := p.request("-toolexec=" + tool)
		r.Again = tt.again != ""
		if tt.user != "" {
			r.Env = append(slices.Clone(r.Env), "GOGC="+tt.user)
		}
		p.build(r)
		if got, err := os.ReadFile(log); err != nil || strings.TrimSpace(string(got)) != tt.want {
			t.Errorf("again %q, GOGC of the user %q: the tools had %q (%v), want %q", tt.again, tt.user, got, err, tt.want)
		}
	}
}
