package watch

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/classify"
)

// outside is a directory beside the module, which its links lead to.
type outside struct {
	*world
	dir string
}

func (d *world) outside() outside {
	d.Helper()
	dir, err := filepath.EvalSymlinks(d.TempDir())
	d.must(err)
	return outside{d, dir}
}

func (o outside) at(name string) string { return filepath.Join(o.dir, filepath.FromSlash(name)) }

func (o outside) write(name, text string) {
	o.Helper()
	o.must(os.MkdirAll(filepath.Dir(o.at(name)), 0o755))
	o.must(os.WriteFile(o.at(name), []byte(text), 0o644))
}

func (o outside) rename(from, to string) { o.Helper(); o.must(os.Rename(o.at(from), o.at(to))) }

// point has a link lead to something, as ln -sfn does, or at once.
func (o outside) point(name, to string, atomically bool) {
	o.Helper()
	tmp := name
	if atomically {
		tmp += ".new"
	} else if err := os.Remove(name); !os.IsNotExist(err) {
		o.must(err)
	}
	o.must(os.Symlink(to, tmp))
	if atomically {
		o.must(os.Rename(tmp, name))
	}
}

// told waits until the sets have told of a file what do has done to it.
func (d *world) told(op change.Op, name, what string, do func()) {
	d.Helper()
	d.reset()
	do()
	d.until(what, func() bool {
		got := d.seen.ops[d.path(name)]
		return got == op || op == change.Write && got == change.Create // when it was gone for a moment
	})
	d.settled()
}

// eachMode runs a test with events and without.
func eachMode(t *testing.T, name string, test func(t *testing.T, opts Options)) {
	for mode, opts := range map[string]Options{"events": {}, "poll": {Poll: minPoll}} {
		t.Run(name+", "+mode, func(t *testing.T) {
			t.Parallel()
			test(t, opts)
		})
	}
}

// What a symbolic link leads to is told when it comes, when it is edited, when it goes, and when it
// comes again, whatever it is to the app.
func TestWhatALinkLeadsTo(t *testing.T) {
	for name, tt := range map[string]struct{ link, to, file string }{
		"pages":              {"pages", "shared/pages", "/x.html"},
		"pages below":        {"pages", "shared/pages", "/d/e/x.html"},
		"a page":             {"page.html", "shared/page.html", ""},
		"a page far away":    {"tmpl/page.html", "shared/d/e/page.html", ""},
		"a hook's directory": {"db/linked", "shared/sql", "/x.sql"},
		"a hook's file":      {"db/x.sql", "shared/x.sql", ""},
		"embedded":           {"a/page/d", "shared/page", "/x.html"},
		"a package":          {"a", "shared/a", "/new.go"},
		"an env file":        {".env", "shared/env", ""},
		"go.work":            {"go.work", "shared/go.work", ""},
	} {
		eachMode(t, name, func(t *testing.T, opts Options) {
			d := newWorld(t)
			out := d.outside()
			d.remove(tt.link)
			d.link(out.at(tt.to), tt.link)
			file := tt.link + tt.file
			write := func(text string) func() { return func() { out.write(tt.to+tt.file, text) } }
			d.start(opts)
			for range 2 {
				d.told(change.Create, file, "what was missing", write("one"))
				d.told(change.Write, file, "an edit", write("two, edited"))
				d.apply()
				d.told(change.Remove, file, "its end", func() { d.must(os.RemoveAll(out.at(tt.to))) })
				d.apply()
				d.told(change.Create, file, "its return", write("three"))
				d.told(change.Remove, file, "what it is in moved away", func() { out.rename("shared", "away") })
				d.told(change.Create, file, "and back", func() { out.rename("away", "shared") })
				d.told(change.Write, file, "an edit after that", write("four, edited"))
				d.told(change.Remove, file, "the end of what it is in", func() { d.must(os.RemoveAll(out.at("shared"))) })
			}
		})
	}
}

// A link that is made to lead elsewhere brings what is there, also by way of another link.
func TestLinksThatAreSwapped(t *testing.T) {
	for name, tt := range map[string]struct{ dir, file string }{
		"pages": {"pages", "pages/x.html"}, "a hook's directory": {"db/linked", "db/linked/x.sql"},
	} {
		eachMode(t, name, func(t *testing.T, opts Options) {
			d := newWorld(t)
			out := d.outside()
			base := filepath.Base(tt.file)
			out.write("1/in/"+base, "one")
			out.write("2/in/"+base, "two")
			d.link(out.at("current/in"), tt.dir)
			current := out.at("current")
			out.point(current, "1", false)
			d.start(opts)
			if counts(d.plan.Rules.Classify(d.path(tt.file))) {
				d.settled()
			} else {
				d.until("the walk", d.walked)
			}
			for i, atomically := range []bool{true, false, true, false} {
				to := fmt.Sprint(2 - i%2)
				d.told(change.Write, tt.file, "another target", func() { out.point(current, to, atomically) })
				d.told(change.Write, tt.file, "an edit in it", func() { out.write(to+"/in/"+base, fmt.Sprint("edited ", i)) })
			}
			d.told(change.Write, tt.file, "another target by itself", func() { out.point(d.path(tt.dir), out.at("2/in"), true) })
			d.told(change.Remove, tt.file, "none", func() { out.point(d.path(tt.dir), out.at("3/in"), true) })
			d.told(change.Create, tt.file, "what comes there", func() { out.rename("1", "3") })
			d.told(change.Remove, tt.file, "no link", func() { d.must(os.Remove(d.path(tt.dir))) })
			d.told(change.Create, tt.file, "the link again", func() { d.link(out.at("current/in"), tt.dir); out.point(current, "3", true) })
			d.told(change.Write, tt.file, "an edit", func() { out.write("3/in/"+base, "at last") })
		})
	}
}

// What is awaited changes its kind: a file, a directory, and what has the link's own name.
func TestAwaitedOfAnotherKind(t *testing.T) {
	for name, link := range map[string]string{"a page": "x.html", "a hook's file": "db/x.sql"} {
		eachMode(t, name, func(t *testing.T, opts Options) {
			d := newWorld(t)
			out := d.outside()
			below := link + "/below" + filepath.Ext(link)
			d.link(out.at("to"), link)
			d.start(opts)
			for range 2 {
				d.told(change.Create, below, "a directory", func() { out.write("to/"+filepath.Base(below), "one") })
				d.told(change.Remove, below, "a file in its place", func() {
					d.must(os.RemoveAll(out.at("to")))
					out.write("to", "two")
				})
				d.until("that file", func() bool { return d.seen.ops[d.path(link)] != "" })
				d.settled()
				d.told(change.Write, link, "an edit", func() { out.write("to", "three, edited") })
				d.told(change.Remove, link, "its end", func() { d.must(os.Remove(out.at("to"))) })
				d.told(change.Create, link, "a file in place of the link", func() { d.remove(link); d.write(link, "four") })
				d.told(change.Remove, link, "its end", func() { d.remove(link) })
				d.link(out.at("to"), link)
			}
		})
	}
}

// A walk that meets a directory, or a link, that has come since it began finds files that are older
// than that. Nobody hears of it: the walk has not watched where it came to.
func TestWalkMeetsWhatCameMeanwhile(t *testing.T) {
	for name, do := range map[string]func(d *world, out outside){
		"a directory": func(d *world, out outside) { d.rename("old", "z/old") },
		"a link":      func(d *world, out outside) { d.link(out.at("pages"), "z/old") },
		"a target": func(d *world, out outside) {
			out.rename("pages", "later")
			out.point(d.path("z/old"), out.at("later"), true)
		},
		"far targets": func(d *world, out outside) { out.rename("pages", "awaited/pages") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newWorld(t)
			out := d.outside()
			d.write("z/page.html", "<p>")
			d.write("old/page.html", "old")
			out.write("pages/page.html", "old")
			d.must(os.Mkdir(out.at("awaited"), 0o755))
			if name == "far targets" {
				d.link(out.at("awaited/pages"), "z/old")
			}
			asked := false
			d.plan.Rules.Ignored = func(path string) bool {
				if path == d.path("z") && !asked { // the walk is about to enter it
					asked = true
					do(d, out)
				}
				return path == d.path("old")
			}
			d.start(Options{open: deaf})
			d.untilTold("z/old/page.html")
			d.until("the end of the walk", d.walked)
			if _, ok := d.seen.ops[d.path("z/page.html")]; ok {
				t.Error("a page that was there before is told")
			}
		})
	}
}

// What was awaited when a walk began is new, though the walk may be the first to see it, and though
// it was asked for after it came.
func TestWalkIsFirst(t *testing.T) {
	for _, name := range []string{"pages/x.html", "tmpl/new/x.html"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newWorld(t)
			out := d.outside()
			out.write("away/x.html", "old")
			d.link(out.at("pages"), "pages")
			d.start(Options{})
			d.until("the walk", d.walked)
			d.plan = d.makePlan()
			d.plan.Rules.Include = append(d.plan.Rules.Include, "**/*.tmpl") // it is to walk again
			d.w.ask(d.Context(), func(l *loop) error {                       // no event is read meanwhile
				if strings.HasPrefix(name, "pages") {
					out.rename("away", "pages")
				} else {
					d.must(os.Rename(out.at("away"), d.path("tmpl/new")))
				}
				d.age()
				_, err := l.apply(d.Context(), d.plan)
				return err
			})
			d.untilTold(name)
		})
	}
}

// A directory that the plan names, or that a hook looks into, and that is missing is awaited: what
// is in it as soon as it is made is an edit.
func TestApplyFindsWhatWasAwaited(t *testing.T) {
	for _, name := range []string{"a/new.go", "b/b.go", "db/x.sql", "db/linked/x.sql"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newWorld(t)
			out := d.outside()
			d.link(out.at("b"), "b")
			d.link(out.at("sql"), "db/linked")
			g := d.plan.Rules.Graph
			g.Dirs[d.path("b")] = classify.Dir{Package: "example.com/m/b"}
			d.start(Options{open: deaf})
			if strings.HasPrefix(name, "b") || strings.Contains(name, "linked") {
				d.must(os.MkdirAll(out.at("b"), 0o755))
				d.must(os.MkdirAll(out.at("sql"), 0o755))
			} else {
				d.remove(filepath.Dir(name))
			}
			before := d.sync()
			d.write(name, "package b\n")
			after := d.apply()
			d.untilTold(name)
			if after.Source != before.Source && after.Seq == before.Seq {
				t.Error("the write does not count")
			}
		})
	}
}

// A link is followed once its file was read: what is written before the target is watched is seen.
func TestWriteBeforeALinkIsFollowed(t *testing.T) {
	d := newWorld(t)
	out := d.outside()
	out.write("env", "A=1\n")
	d.remove(".env")
	d.link(out.at("env"), ".env")
	d.start(Options{open: func() (*source, error) {
		src, err := openSource()
		add := src.add
		src.add = func(dir string) error {
			if dir == out.dir {
				out.write("env", "A=2, written late\n")
			}
			return add(dir)
		}
		return src, err
	}})
	d.settled()
}

// TestStormOfLinks does random things to links and to what they lead to.
func TestStormOfLinks(t *testing.T) {
	for seed := range uint64(*storms) {
		seed += *firstSeed
		eachMode(t, fmt.Sprint(seed), func(t *testing.T, opts Options) {
			d := newWorld(t)
			s := linkStorm{d.outside(), rand.New(rand.NewPCG(seed, 2))}
			d.mkdir("gen")
			for link, to := range map[string]string{
				"pages": "shared/pages", "page.html": "later/page.html", "db/linked": "shared/sql", ".env.local": "shared/env",
				"tmpl/new": "releases/current/pages", "b": "releases/current/b",
			} {
				d.link(s.at(to), link)
			}
			d.plan.Rules.EnvFiles = []string{".env", ".env.local"}
			g := d.plan.Rules.Graph
			g.Files[d.path("b/b.go")] = classify.GoFile
			g.Dirs[d.path("b")] = classify.Dir{Package: "b"}
			opts.CookieDir = d.path(stateDir)
			d.start(opts)
			d.until("the walk", d.walked)
			base := d.pages()
			for range 5 {
				for range 1 + s.rnd.IntN(40) {
					s.step()
				}
				got := d.catchUp()
				if !sameTree(got, d.scratch()) || got.Runtime != difference(base, d.pages()) {
					d.Fatalf("not caught up: %+v\n%s", got, d.differences())
				}
				d.settled()
				d.until("the pages", func() bool { return d.seen.Runtime == difference(base, d.pages()) })
			}
		})
	}
}

type linkStorm struct {
	outside
	rnd *rand.Rand
}

func (s linkStorm) pick(names ...string) string { return names[s.rnd.IntN(len(names))] }

func (s linkStorm) file() string {
	return s.pick("shared/pages/x.html", "shared/pages/d/e/y.html", "shared/sql/x.sql", "shared/env", "later/page.html",
		"1/pages/z.html", "2/pages/z.html", "1/b/b.go", "2/b/b.go")
}

func (s linkStorm) place() string {
	return s.pick("shared", "shared/pages", "shared/pages/d", "shared/sql", "later", "1", "2", "1/pages", "2/b", "releases", "releases/current")
}

func (s linkStorm) link() string {
	return s.pick("pages", "page.html", "db/linked", ".env.local", "tmpl/new", "b")
}

// step does one thing. What does not work in the present state is left out.
func (s linkStorm) step() {
	text := fmt.Sprintf("package b // %d\n", s.rnd.IntN(4))
	switch s.rnd.IntN(12) {
	default:
		if name := s.at(s.file()); os.MkdirAll(filepath.Dir(name), 0o755) == nil {
			os.WriteFile(name, []byte(text), 0o644)
		}
	case 5:
		os.Remove(s.at(s.file()))
	case 6:
		os.RemoveAll(s.at(s.place()))
	case 7:
		if from := s.place(); from != "releases/current" { // it might lead in a circle
			os.Rename(s.at(from), s.at(s.place()))
		}
	case 8:
		os.Mkdir(s.at("releases"), 0o755)
		os.Symlink("../"+s.pick("1", "2"), s.at("releases/new"))
		os.Rename(s.at("releases/new"), s.at("releases/current"))
	case 9:
		os.Remove(s.path("tmp.l"))
		os.Symlink(s.at(s.pick(s.place(), s.file())), s.path("tmp.l"))
		os.Rename(s.path("tmp.l"), s.path(s.link()))
	case 10:
		name := s.path(s.link())
		if os.RemoveAll(name); s.rnd.IntN(2) == 0 {
			os.Rename(s.at(s.place()), name)
		}
	case 11:
		if s.rnd.IntN(2) == 0 {
			s.sync()
		} else {
			s.apply()
		}
	}
}
