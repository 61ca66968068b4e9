package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// foreignUser is some other user, such as that of a database in a container.
const foreignUser = 12345

// giveAway makes a file or directory one that only another user may read.
func (tr tree) giveAway(name string) {
	tr.t.Helper()
	if os.Getuid() != 0 { // as near as it comes
		tr.must(os.Chmod(tr.at(name), 0))
		tr.t.Cleanup(func() { os.Chmod(tr.at(name), 0o700) })
		return
	}
	tr.must(os.Chown(tr.at(name), foreignUser, foreignUser))
	tr.must(os.Chmod(tr.at(name), 0o700))
}

// runWithout runs devguard as a user without rights over files that were given away.
func (tr tree) runWithout(args ...string) *devguard {
	tr.t.Helper()
	d := prepare(tr.t, tr.at("app"), nil, append([]string{"--db", "off"}, args...)...)
	d.inUserNamespace()
	d.start()
	return d
}

// TestUnreadableDirectory has the data directory of another user's database in the tree.
func TestUnreadableDirectory(t *testing.T) {
	for _, tt := range []struct {
		name, config string
		mode         string
		told         int
	}{
		{"no configuration", "", "events", 1},
		{"excluded", "[watch]\nexclude = [\"data/pg/**\"]\n", "events", 0},
		{"excluded, and a hook reaches it", "[watch]\nexclude = [\"data/pg/**\"]\n[[hook]]\nname = \"h\"\nwatch = [\"**/*.sql\"]\nrun = \"true\"\n", "events", 0},
		{"polling", "[watch]\npoll = \"200ms\"\n", "poll", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tr := newTree(t, map[string]string{
				"app/main.go": program("example.com/app/a"), "app/a/part.go": part("before"),
				"app/data/pg/base.html": "0", "app/pages/deep/page.html": "0",
			})
			if tt.config != "" {
				tr.write("app/devguard.toml", tt.config)
			}
			tr.giveAway("app/data/pg")
			d := tr.runWithout()
			d.serving("before")
			d.wait(0, "instance ready", nil)
			tr.write("app/pages/deep/page.html", "1")
			d.wait(0, "instance started", func(l line) bool { return l.int("gen") == 2 })
			tr.write("app/a/part.go", part("edited"))
			d.serving("edited")
			if mode := d.wait(0, "watching", nil).str("mode"); mode != tt.mode {
				t.Errorf("mode %q", mode)
			}
			d.stop()
			told := 0
			for _, l := range d.since(0) {
				if strings.Contains(l.Msg, tr.at("app/data/pg")+" cannot be read") && strings.Contains(l.str("hint"), `exclude = ["data/pg/**"]`) {
					told++
				} else if strings.Contains(l.Msg, "permission denied") || strings.Contains(l.Msg, "polling every second") {
					t.Error(l.Raw)
				}
			}
			if told != tt.told {
				t.Errorf("told %d times", told)
			}
		})
	}
}

// TestUnreadableDirectoryIsGivenBack makes it readable while devguard runs.
func TestUnreadableDirectoryIsGivenBack(t *testing.T) {
	tr := newTree(t, map[string]string{"app/main.go": program(""), "app/pages/page.html": "0"})
	tr.giveAway("app/pages")
	d := tr.runWithout()
	d.serving("nothing")
	d.wait(0, tr.at("app/pages")+" cannot be read (permission denied): it is not watched, everything else is", nil)
	tr.must(os.Chmod(tr.at("app/pages"), 0o755))
	d.wait(0, "instance started", func(l line) bool { return l.int("gen") == 2 })
	tr.write("app/pages/page.html", "1")
	d.wait(0, "instance started", func(l line) bool { return l.int("gen") == 3 })
}

// TestUnreadableSource has a file of the program that may not be read: the directories of the go
// command have nothing to do with it.
func TestUnreadableSource(t *testing.T) {
	tr := newTree(t, map[string]string{"app/main.go": program("")})
	tr.giveAway("app/main.go")
	d := tr.runWithout(".")
	l := d.wait(0, "build failed", nil)
	if !strings.Contains(l.str("hint"), "give yourself the right to read it: ls -l "+tr.at("app/main.go")) || strings.Contains(l.Raw, "GOCACHE") {
		t.Error(l.Raw)
	}
	tr.must(os.Chmod(tr.at("app/main.go"), 0o644))
	_, command, _ := strings.Cut(l.str("hint"), "say so: ")
	if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	d.serving("nothing")
}

// TestUnwritableCache is a build cache of another user; with one of our own, as is advised, the
// program is built.
func TestUnwritableCache(t *testing.T) {
	tr := newTree(t, map[string]string{"app/main.go": program(""), "cache/README": ""})
	tr.giveAway("cache")
	d := prepare(t, tr.at("app"), []string{"GOCACHE=" + tr.at("cache")}, "--db", "off")
	d.inUserNamespace()
	d.start()
	if l := d.wait(0, "build failed", nil); !strings.Contains(l.str("hint"), "or set GOCACHE and GOMODCACHE to directories of yours") {
		t.Error(l.Raw)
	}
	d.stop()
	tr.runWithout().serving("nothing")
}

// TestUnreadableGitDirectory is in the middle of a rebase, which nobody but the repository's owner
// can see; then he does what the hint says.
func TestUnreadableGitDirectory(t *testing.T) {
	dir, _ := rebasing(t)
	tr := tree{t, filepath.Dir(dir)}
	name := filepath.Base(dir) + "/.git"
	tr.giveAway(name)
	d := prepare(t, dir, nil, "--db", "off")
	d.inUserNamespace()
	d.start()
	d.wait(0, "hook finished", nil)
	said := d.wait(0, tr.at(name)+" cannot be read (permission denied): whether git is in the middle of a rebase, merge or bisect is not known, "+
		"and hooks that migrate are not held", nil)
	_, command, _ := strings.Cut(said.str("hint"), "type: ")
	if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	d.wait(0, "instance ready", nil)
	mark := d.mark()
	tr.write(filepath.Base(dir)+"/migrations/1.txt", "merged")
	d.wait(mark, "hook held", nil)
}
