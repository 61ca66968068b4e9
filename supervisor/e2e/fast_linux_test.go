package e2e_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fastProject is an app of two packages that may be built without the go command.
func fastProject(t *testing.T) (dir string) {
	t.Helper()
	return project(t, map[string]string{
		"main.go": strings.NewReplacer(
			`"os"`, "\"os\"\n\n\t\"example.com/app/lib\"",
			"%s pid", "%s %s pid", "version,", "version, lib.V(),").Replace(server),
		"lib/lib.go": "package lib\n\nvar text = [8]byte{'m', 'a', 'r', 'k', '-', 'v', '1', '.'}\n\n//go:noinline\nfunc V() string { return string(text[:]) }\n",
	})
}

func TestFastBuilds(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	dir, url := fastProject(t), "http://127.0.0.1:"+port
	d := run(t, dir, []string{"PORT=" + port}, "-v")
	d.ready()
	if l := d.verified(0, nil); l.str("reason") != "" {
		t.Fatal(l.Raw)
	}
	mark := d.mark()
	edit(t, filepath.Join(dir, "lib", "lib.go"), "'1'", "'2'")
	d.serves(url, "mark-v2.")
	if l := d.wait(mark, "build finished", nil); l.str("way") != "fast" {
		t.Errorf("an edit of a variable: %s", l.Raw)
	}
	d.verified(mark, nil)

	mark = d.mark()
	edit(t, filepath.Join(dir, "lib", "lib.go"), "(text[:]) }", "(text[:]) } // marked")
	d.wait(mark, "restart skipped", nil)
	if l := d.wait(mark, "build finished", nil); l.str("way") != "fast" {
		t.Errorf("an edit of a comment: %s", l.Raw)
	}
	d.verified(mark, nil)

	mark = d.mark()
	edit(t, filepath.Join(dir, "lib", "lib.go"), "package lib\n", "package lib\n\nimport _ \"strings\"\n")
	if l := d.wait(mark, "build finished", nil); l.str("way") != "fast" {
		t.Errorf("an import of what is linked already: %s", l.Raw)
	}
	d.verified(mark, nil)

	mark = d.mark()
	edit(t, filepath.Join(dir, "lib", "lib.go"), "\"strings\"", "\"container/ring\"")
	if l := d.wait(mark, "build by the go command", nil); !strings.Contains(l.str("reason"), "imports changed") {
		t.Error(l.Raw)
	}

	mark = d.mark()
	edit(t, filepath.Join(dir, "main.go"), `"v1"`, `5 + ""`)
	failed := d.wait(mark, "build failed", nil)
	if d.count(mark, "build failed") != 1 || !strings.Contains(failed.Raw, "main.go") {
		t.Errorf("a mistake is not said once, by the go command: %s", failed.Raw)
	}
	edit(t, filepath.Join(dir, "main.go"), `5 + ""`, `"v2"`)
	d.serves(url, "v2 mark-v2.")

	mark = d.mark()
	write(t, filepath.Join(dir, "devguard.toml"), "[build]\nfast = \"off\"\n")
	if l := d.wait(mark, "build finished", nil); l.str("way") != "" {
		t.Errorf("what is served is not built anew by the go command alone: %s", l.Raw)
	}
	mark = d.mark()
	edit(t, filepath.Join(dir, "lib", "lib.go"), "'2'", "'3'")
	d.serves(url, "v2 mark-v3.")
	if l := d.wait(mark, "build finished", nil); l.str("way") != "" {
		t.Errorf("off: %s", l.Raw)
	}
}

// TestFastBuildThatDiffersIsReplaced has a fast build link something else than was compiled.
func TestFastBuildThatDiffersIsReplaced(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	dir, url := fastProject(t), "http://127.0.0.1:"+port
	d := run(t, dir, []string{"PORT=" + port}, "-v")
	d.ready()
	d.verified(0, nil)
	mark := d.mark()
	edit(t, filepath.Join(dir, "lib", "lib.go"), "'1'", "'2'")
	d.verified(mark, nil)
	falsify(t, filepath.Join(dir, ".devguard", "app", "objects"), "mark-v2.", "mark-vX.")
	for gen := range 9 { // of an earlier run
		write(t, filepath.Join(dir, ".devguard", "app", fmt.Sprint("differs-", gen), "fast"), "old")
	}
	mark = d.mark()
	edit(t, filepath.Join(dir, "main.go"), `"v1"`, `"v2"`)
	d.serves(url, "v2 mark-vX.")
	kept := d.wait(mark, "build differs", nil).str("kept")
	d.serves(url, "v2 mark-v2.")
	for _, name := range []string{"fast", "go", "plan.json"} {
		if info, err := os.Stat(filepath.Join(kept, name)); err != nil || info.Size() == 0 {
			t.Errorf("not kept: %s, %v", name, err)
		}
	}
	mark = d.mark()
	edit(t, filepath.Join(dir, "main.go"), `"v2"`, `"v3"`)
	d.serves(url, "v3 mark-v2.")
	if l := d.wait(mark, "build finished", nil); l.str("way") != "" {
		t.Errorf("builds go on to be fast: %s", l.Raw)
	}
}

// falsify replaces text in the archives below dir.
func falsify(t *testing.T, dir, old, new string) {
	t.Helper()
	archives, _ := filepath.Glob(filepath.Join(dir, "*", "*", "_pkg_.a"))
	done := false
	for _, name := range archives {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, []byte(old)) {
			done = true
			write(t, name, string(bytes.ReplaceAll(data, []byte(old), []byte(new))))
		}
	}
	if !done {
		t.Fatalf("no archive of %v has %q", archives, old)
	}
}
