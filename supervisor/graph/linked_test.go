package graph

import (
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/devguard/devguard/supervisor/linkcost"
)

func (tr *tree) linked(flags ...string) *Linked {
	tr.t.Helper()
	l, err := LoadLinked(tr.t.Context(), Request{Dir: tr.dir, Flags: flags, Env: tr.env})
	if err != nil {
		tr.t.Fatal(err)
	}
	return l
}

// two is a program with a module of its own and one that is not.
func two(t *testing.T) *tree {
	return newTree(t,
		"go.mod", goMod+"\nrequire example.com/x v0.0.0\n\nreplace example.com/x => ./x\n",
		"main.go", "package main\n\nimport _ \"example.com/app/store\"\n\nfunc main() {}\n",
		"store/store.go", "//go:build !slim\n\npackage store\n\nimport _ \"example.com/x\"\n",
		"store/slim.go", "//go:build slim\n\npackage store\n",
		"x/go.mod", "module example.com/x\n\ngo 1.25\n",
		"x/x.go", "package x\n\nimport _ \"unsafe\"\n")
}

// TestLinked: what the program is linked of, and that archives are found, but none is made.
func TestLinked(t *testing.T) {
	t.Parallel()
	tr := two(t)
	l := tr.linked()
	var ours []string
	for _, p := range l.Program.Packages {
		if strings.HasPrefix(p.Path, "example.com/") {
			ours = append(ours, fmt.Sprintf("%s %q own=%v %v %d", p.Path, p.Module, p.Own, p.Imports, p.Bytes))
		}
	}
	want := []string{
		`example.com/x "example.com/x" own=false [unsafe] 0`,
		`example.com/app/store "" own=true [example.com/x] 0`,
		`example.com/app "" own=true [example.com/app/store] 0`,
	}
	if !slices.Equal(ours, want) || l.Program.Main != "example.com/app" {
		t.Errorf("main %s, packages\n%s\nwant\n%s", l.Program.Main, strings.Join(ours, "\n"), strings.Join(want, "\n"))
	}
	build := exec.Command("go", "build", "-buildvcs=false", "-tags=more", "-o", t.TempDir()+"/", ".")
	build.Dir, build.Env = tr.dir, tr.env
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, p := range tr.linked("-tags=more", "-buildvcs=false", "-toolexec=nowhere").Program.Packages {
		if p.Bytes == 0 && p.Path != "unsafe" {
			t.Errorf("the archive of %s was not found", p.Path)
		}
	}
}

// TestLinkedWith: the program with one more tag than there are.
func TestLinkedWith(t *testing.T) {
	t.Parallel()
	tr := two(t)
	tr.write("broken.go", "//go:build broken\n\npackage main\n\nimport _ \"no/such\"\n",
		"both.go", "//go:build more && slim\n\npackage main\n\nimport _ \"example.com/x\"\n")
	l := tr.linked()
	all := len(l.Program.Packages)
	for tag, want := range map[string]string{
		"slim":   fmt.Sprintf("%d [example.com/app] <nil>", all-1),
		"other":  fmt.Sprintf("%d [example.com/app example.com/x] <nil>", all),
		"broken": "0 [] broken.go:5:8: package no/such is not in std",
	} {
		n, modules, err := l.With(t.Context(), tag)
		if got := fmt.Sprintf("%d %v %v", n, modules, err); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", tag, got, want)
		}
	}
	tr.env = append(tr.env, "GOFLAGS=-tags=more")
	if n, _, err := tr.linked().With(t.Context(), "slim"); n != all || err != nil {
		t.Errorf("%d packages (%v) with a tag beside that of GOFLAGS, want %d", n, err, all)
	}
}

// TestSources: which files there are, by name and by constraint, and what their tags are.
func TestSources(t *testing.T) {
	t.Parallel()
	tr := newTree(t, "go.mod", goMod, "main.go", "package main\n\nimport (\n\t\"fmt\"\n\t_ \"unsafe\"\n)\n\nfunc main() { fmt.Println() }\n",
		"a.go", "// Words before it.\n\n//go:build !slim && linux\n\npackage main\n\nimport _ \"net\"\n\n//go:build no\n",
		"b.go", "//go:build slim\n\npackage main\n",
		"old.go", "// +build slim !b c\n// +build !d\n\npackage main\n",
		"c_windows.go", "//go:build slim\n\npackage main\n",
		"d_test.go", "//go:build slim\n\npackage main\n",
		"e.go", "//go:build go1.99 && (amd64.v9 || windows || goexperiment.x || race || no_such.sd || no_windows)\n\npackage main\n",
		"f.go", "//go:build thin\n\npackage main\n\nimport \"C\"\n",
		"g.go", "//go:build ignore\n\npackage main\n", "h.go", "//go:build thin\n\npackage main\n")
	tr.env = append(tr.env, "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	s := tr.linked("-tags=thin").Sources([]string{"example.com/app", "fmt"})
	var files []string
	for _, f := range s.Files["example.com/app"] {
		files = append(files, strings.TrimSpace(fmt.Sprintf("%s [%v] %v", tr.rel(f.Name), f.Constraint, f.Imports)))
	}
	want := []string{"a.go [!slim && linux] [net]", "h.go [thin] []", "main.go [<nil>] [fmt unsafe]", "old.go [(slim || !b || c) && !d] []",
		"b.go [slim] []", "e.go [go1.99 && (amd64.v9 || windows || goexperiment.x || race || no_such.sd || no_windows)] []", "g.go [ignore] []"}
	if !slices.Equal(files, want) || len(s.Files) != 1 {
		t.Errorf("%d packages with\n%s\nwant\n%s", len(s.Files), strings.Join(files, "\n"), strings.Join(want, "\n"))
	}
	var free []string
	for _, tag := range slices.Sorted(maps.Keys(s.Tags)) {
		if s.Tags[tag] == linkcost.Free {
			free = append(free, tag)
		}
	}
	if got, want := strings.Join(free, " "), "b c d no_such.sd no_windows slim"; got != want || s.Tags["linux"] != linkcost.Set || s.Tags["thin"] != linkcost.Set {
		t.Errorf("free are %s, want %s; all: %v", got, want, s.Tags)
	}
}
