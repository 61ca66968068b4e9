package watch

import (
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/classify"
	"github.com/devguard/devguard/supervisor/paths"
)

var (
	storms    = flag.Int("storms", 8, "how many seeds TestStorm tries")
	firstSeed = flag.Uint64("storm-seed", 0, "the first of them")
)

// TestStorm does random things to a tree and then compares what the watcher knows with what is
// there. A failure names its seed.
func TestStorm(t *testing.T) {
	for seed := range uint64(*storms) {
		seed += *firstSeed
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			d := newWorld(t)
			d.mkdir("gen")
			d.write("real/b.go", "package b\n")
			d.link("real", "b")
			g := d.plan.Rules.Graph
			g.Files[d.path("b/b.go")] = classify.GoFile
			g.Dirs[d.path("b")] = classify.Dir{Package: "b"}
			d.start(Options{CookieDir: d.path(stateDir)})
			d.until("the walk", func() bool { return d.walked() })
			base := d.pages()
			s := storm{d, rand.New(rand.NewPCG(seed, 1))}
			for range 6 {
				for range 1 + s.rnd.IntN(60) {
					s.step()
				}
				got := d.catchUp()
				if !sameTree(got, d.scratch()) || got.Runtime != difference(base, d.pages()) {
					d.Fatalf("not caught up: %+v\n%s", got, d.differences())
				}
				d.settled()
				d.until("the runtime files", func() bool { return d.seen.Runtime == difference(base, d.pages()) })
				d.w.ask(d.Context(), func(l *loop) error {
					if !maps.Equal(l.below, counted(l.files)) {
						d.Errorf("below which directories files are: %v, want %v", l.below, counted(l.files))
					}
					return nil
				})
			}
		})
	}
}

func (d *world) walked() (done bool) {
	d.w.ask(d.Context(), func(l *loop) error {
		done = l.due == nil && l.cancel == nil && l.newWalksDone == l.newWalks && len(l.newPaths) == 0
		return nil
	})
	return done
}

// pages are the contents of the files that only the running app reads, under each name that they
// have.
func (d *world) pages() map[string]string {
	out := map[string]string{}
	var walk func(dir string)
	walk = func(dir string) {
		entries, err := os.ReadDir(dir)
		d.must(err)
		for _, e := range entries {
			path := filepath.Join(dir, e.Name())
			info, err := os.Stat(path)
			if err != nil || path == d.path("a/page") {
				continue // a link that dangles; embedded
			}
			if info.IsDir() {
				walk(path)
			} else if strings.HasSuffix(path, ".html") {
				b, err := os.ReadFile(path)
				d.must(err)
				out[path] = string(b)
			}
		}
	}
	walk(d.root)
	return out
}

func difference(from, to map[string]string) change.Digest {
	var s change.Sum
	for name, text := range from {
		s.Remove(name, change.DigestOf([]byte(text)))
	}
	for name, text := range to {
		s.Add(name, change.DigestOf([]byte(text)))
	}
	return s.Digest()
}

type storm struct {
	*world
	rnd *rand.Rand
}

func (s storm) pick(names ...string) string { return names[s.rnd.IntN(len(names))] }

func (s storm) file() string {
	return s.pick("main.go", "go.mod", "a/a.go", "a/new.go", "a/new_windows.go", "a/a_test.go", "a/h.h", "a/page/x.html", "a/page/d/y.html",
		"a/page/.hidden", "real/b.go", "real/c.go", "two/b.go", "db/schema.sql", "db/d/e/f.sql", "tmpl/index.html", "tmpl/d/e/x.html", "pages/z.html",
		".env", "devguard.toml", "gen/x", "other/x.go", "go.work", "vendor/modules.txt")
}

func (s storm) dir() string {
	return s.pick("a", "a/page", "a/page/d", "real", "two", "db", "db/d", "tmpl", "tmpl/d", "gen", "vendor", "other", "pages")
}

// step does one thing. What does not work in the present state is left out.
func (s storm) step() {
	text := fmt.Sprintf("package p // %d\n", s.rnd.IntN(4))
	switch s.rnd.IntN(16) {
	default:
		s.try(text, s.file())
	case 8:
		s.try(text, "tmp.x")
		os.Rename(s.path("tmp.x"), s.path(s.file()))
	case 9:
		os.Remove(s.path(s.file()))
	case 10:
		os.RemoveAll(s.path(s.dir()))
	case 11:
		os.Rename(s.path(s.dir()), s.path(s.dir()))
	case 12:
		a, b := s.dir(), s.dir() // swap
		os.Rename(s.path(a), s.path("swap"))
		os.Rename(s.path(b), s.path(a))
		os.Rename(s.path("swap"), s.path(b))
		os.RemoveAll(s.path("swap"))
	case 13:
		os.Remove(s.path("tmp.l"))
		os.Symlink(s.pick("real", "two"), s.path("tmp.l"))
		os.Rename(s.path("tmp.l"), s.path("b"))
	case 14:
		os.Chmod(s.path(s.file()), fs.FileMode(0o600+s.rnd.IntN(2)*0o44))
	case 15:
		if s.rnd.IntN(2) == 0 {
			s.sync()
		} else {
			s.apply()
		}
	}
}

func (s storm) try(text, name string) {
	path := s.path(name)
	if os.MkdirAll(filepath.Dir(path), 0o755) == nil {
		os.WriteFile(path, []byte(text), 0o644)
	}
}

func counted(files map[string]*file) map[string]int {
	out := map[string]int{}
	for name := range files {
		for up := range paths.Up(name) {
			if up != name {
				out[up]++
			}
		}
	}
	return out
}
