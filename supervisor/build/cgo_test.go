package build

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/goflags"
)

// TestGcflags: of several -gcflags the go command takes the last that matches, so the user's for the
// package are repeated.
func TestGcflags(t *testing.T) {
	lib := Cgo{Package: "example.com/app/lib/c", Dir: "/src/app/lib/c", Workspace: true}
	main := Cgo{Package: "example.com/app", Dir: "/src/app", Main: true, Workspace: true}
	replaced := Cgo{Package: "example.com/other/c", Dir: "/src/other/c"}
	vendored := Cgo{Package: "example.com/dep", Dir: "/src/app/vendor/example.com/dep"}
	for _, tt := range []struct {
		name, env string
		flags     []string
		of        Cgo
		want      string
	}{
		{"none", "", nil, lib, ""},
		{"all", "", []string{"-gcflags=all=-N -l"}, lib, "-N -l"},
		{"two words", "", []string{"-gcflags", "all=-N -l"}, lib, "-N -l"},
		{"of GOFLAGS", "-gcflags=all=-N", []string{"-race"}, lib, "-N"},
		{"GOFLAGS come first", "-gcflags=all=-N", []string{"-gcflags=all=-l"}, lib, "-l"},
		{"the last that matches", "", []string{"-gcflags=all=-N", "-gcflags=example.com/app/lib/...=-l", "-gcflags=fmt=-S"}, lib, "-l"},
		{"without a pattern: not of a library", "", []string{"-gcflags=all=-l", "-gcflags=-N"}, lib, "-l"},
		{"without a pattern: of the main package", "", []string{"-gcflags=all=-l", "-gcflags=-N"}, main, "-N"},
		{"empty", "", []string{"-gcflags=all=-l", "-gcflags="}, main, ""},
		{"empty for all", "", []string{"-gcflags=all=-l", "-gcflags=all="}, lib, ""},
		{"itself", "", []string{"-gcflags=example.com/app/lib/c=-N"}, lib, "-N"},
		{"another", "", []string{"-gcflags=example.com/app/lib=-N"}, lib, ""},
		{"... below", "", []string{"-gcflags=example.com/app/...=-N"}, lib, "-N"},
		{"... itself", "", []string{"-gcflags=example.com/app/...=-N"}, main, "-N"},
		{"... in the middle", "", []string{"-gcflags=example.com/.../c=-N"}, replaced, "-N"},
		{"./...", "", []string{"-gcflags=./...=-N"}, lib, "-N"},
		{"./... of another module", "", []string{"-gcflags=./...=-N"}, replaced, ""},
		{"../... of another module", "", []string{"-gcflags=../...=-N"}, replaced, "-N"},
		{"./... vendored", "", []string{"-gcflags=./...=-N"}, vendored, ""},
		{"./vendor/... vendored", "", []string{"-gcflags=./vendor/...=-N"}, vendored, "-N"},
		{"one directory", "", []string{"-gcflags=./lib/c=-N"}, lib, "-N"},
		{"one other directory", "", []string{"-gcflags=./lib=-N"}, lib, ""},
		{"this directory", "", []string{"-gcflags=.=-N"}, main, "-N"},
		{"work", "", []string{"-gcflags=work=-N"}, lib, "-N"},
		{"work of another module", "", []string{"-gcflags=work=-N"}, replaced, ""},
		{"std", "", []string{"-gcflags=std=-N"}, lib, ""},
		{"blanks", "", []string{"-gcflags= all = -N "}, lib, "-N"},
	} {
		if runtime.GOOS == "windows" && strings.Contains(tt.name, "director") {
			continue // the names above are not absolute there
		}
		if got := tt.of.gcflags(goflags.Effective(tt.env, tt.flags), "/src/app"); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestCgoFlags: only packages with such files get a flag, after those of the user.
func TestCgoFlags(t *testing.T) {
	header := filepath.Join(t.TempDir(), "a.h")
	if err := os.WriteFile(header, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	r := Request{Dir: "/src/app", Flags: []string{"-gcflags=all=-N"}, Cgo: []Cgo{
		{Package: "example.com/app/a", Dir: "/src/app/a", Files: []string{header, header + "pp"}},
		{Package: "example.com/app/b", Dir: "/src/app/b"},
		{Package: "example.com/app/c", Dir: "/src/app/c", Files: []string{header + "pp"}},
	}}
	args, err := arguments(r, "")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(args, func(a string) bool { return strings.HasPrefix(a, "-gcflags=example.com/app/a=-N -env=DEVGUARD_CGO=") })
	if i < slices.Index(args, "-gcflags=all=-N") || strings.Count(strings.Join(args, " "), "-gcflags") != 2 {
		t.Errorf("arguments %q", args)
	}
	for _, with := range [][]string{{"-compiler=gccgo"}, {"-compiler", "gccgo"}} {
		if got := cgoFlags(goflags.Parse(with), r); got != nil {
			t.Errorf("another compiler gets %q", got)
		}
	}
	r.Cgo = nil
	plain, err := arguments(r, "")
	if err != nil || strings.Count(strings.Join(plain, " "), "-gcflags") != 1 {
		t.Errorf("without such files: %q, %v", plain, err)
	}
}

// TestFingerprint: contents count, whether they are remembered or not.
func TestFingerprint(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.h")
	known := Contents{}
	at := time.Unix(1_700_000_000, 0)
	write := func(text string, at time.Time) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, at, at); err != nil {
			t.Fatal(err)
		}
	}
	of := func(now time.Time) string {
		t.Helper()
		fresh, remembered := Contents(nil).fingerprint([]string{name}, now), known.fingerprint([]string{name}, now)
		if fresh != remembered {
			t.Errorf("remembered %s, now %s", remembered, fresh)
		}
		return fresh
	}
	none := of(at)
	write("a", at)
	a := of(at.Add(settled))
	write("b", at) // within the tick of the file's time
	b := of(at.Add(time.Hour))
	write("aa", at)
	aa := of(at.Add(time.Hour))
	if none != "" || a == b || a == none || b == none || aa == a || aa == b {
		t.Errorf("none %s, a %s, b %s, aa %s", none, a, b, aa)
	}
	write("a", at.Add(time.Second))
	if of(at.Add(time.Hour)) != a {
		t.Error("an undo is another state")
	}
	if len(known) != 1 {
		t.Errorf("remembers %d files", len(known))
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if of(at.Add(time.Hour)) != none {
		t.Error("a file that is gone counts")
	}
	other := filepath.Join(t.TempDir(), "a.h")
	for _, name := range []string{name, other} {
		if err := os.WriteFile(name, nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if known.fingerprint([]string{name}, at) == known.fingerprint([]string{other}, at) {
		t.Error("the name does not count")
	}
}

// TestIncludedFile: a changed header is in the program, beside the user's own flags; without ours it
// is not.
func TestIncludedFile(t *testing.T) {
	const value = "package main\n\n// #include \"c/value.h\"\nimport \"C\"\n\nfunc main() { println(C.VALUE) }\n"
	p := newProject(t, "go.mod", goMod, "c/value.h", "#define VALUE 1\n", "main.go", value)
	p.env = append(p.env, "CGO_ENABLED=1")
	header := filepath.Join(p.dir, "c", "value.h")
	known := Cgo{Package: "example.com/app", Dir: p.dir, Main: true, Files: []string{header}}
	build := func(of ...Cgo) string {
		r := p.request("-gcflags=-N -l")
		r.Cgo = of
		return p.build(r).Out
	}
	for i, of := range [][]Cgo{nil, {known}} {
		if got := prints(t, build(of...)); got != "1" {
			t.Errorf("build %d prints %s", i, got)
		}
	}
	p.write("c/value.h", "#define VALUE 2\n")
	if got := prints(t, build()); got != "1" {
		t.Errorf("the go command sees the header: prints %s", got)
	}
	out := build(known)
	if got := prints(t, out); got != "2" {
		t.Errorf("prints %s", got)
	}
	if got := settings(t, out)["-gcflags"]; !strings.HasPrefix(got, "example.com/app=-N -l -env=DEVGUARD_CGO=") {
		t.Errorf("compiled with %q", got)
	}
}

func BenchmarkFingerprint(b *testing.B) {
	var files []string
	for range 100 {
		name := filepath.Join(b.TempDir(), "a.h")
		if err := os.WriteFile(name, make([]byte, 10_000), 0o666); err != nil {
			b.Fatal(err)
		}
		files = append(files, name)
	}
	for name, known := range map[string]Contents{"read": nil, "known": {}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				known.fingerprint(files, time.Now().Add(time.Hour))
			}
		})
	}
}
