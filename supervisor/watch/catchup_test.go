package watch

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/classify"
)

var catchUps = flag.Int("catch-ups", 1000, "how many writes TestCatchUp makes")

// TestCatchUp writes files of every kind, and after each write asks for a snapshot, which must be
// of the contents that the files have by then.
func TestCatchUp(t *testing.T) {
	seed := rand.Uint64()
	for name, tt := range map[string]struct {
		opts   Options
		writes int
	}{
		"by cookie":            {Options{CookieDir: stateDir}, *catchUps},
		"no cookie directory":  {Options{}, *catchUps / 10},
		"poll mode":            {Options{Poll: time.Hour, CookieDir: stateDir}, *catchUps / 10},
		"poll mode, in sweeps": {Options{Poll: minPoll, CookieDir: stateDir}, *catchUps / 10},
		"no events at all":     {Options{Local: remote, open: deaf, CookieDir: stateDir}, *catchUps / 10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newWorld(t)
			tt.opts.CookieDir = d.cookieDir(tt.opts.CookieDir)
			d.start(tt.opts)
			s := newSaver(d, seed)
			s.check("the start")
			for i := range tt.writes {
				s.check(fmt.Sprintf("seed %d: write %d: %s", seed, i, s.save(i)))
			}
			d.noCookieTold()
		})
	}
}

// stateDir is where devguard has its own files.
const stateDir = ".devguard/app"

func (d *world) cookieDir(name string) string {
	if name == "" {
		return ""
	}
	return d.path(name)
}

func remote(string) (bool, string) { return false, "nfs" }

func (d *world) catchUp() change.Snapshot {
	d.Helper()
	snap, err := d.w.CatchUp(d.Context())
	d.must(err)
	return snap
}

// noCookieTold reads what was told so far, up to a last edit.
func (d *world) noCookieTold() {
	d.Helper()
	d.replace("a/last.go", "package a\n")
	d.catchUp()
	d.untilTold("a/last.go")
	for name := range d.seen.ops {
		if strings.Contains(name, cookiePrefix) {
			d.Errorf("told as a change: %s", name)
		}
	}
	for name, reason := range d.seen.ignored {
		if strings.Contains(name, ".devguard") {
			d.Errorf("told as ignored: %s, %s", name, reason)
		}
	}
}

// saver saves files and knows their contents.
type saver struct {
	*world
	rnd   *rand.Rand
	files map[string]string // by name below the root
	first map[string]string // when the watcher first saw them
	last  change.Snapshot

	classes map[string]classify.Class
}

func newSaver(d *world, seed uint64) *saver {
	s := &saver{world: d, rnd: rand.New(rand.NewPCG(seed, 2)), files: map[string]string{}, first: map[string]string{}, classes: map[string]classify.Class{}}
	for _, name := range []string{"go.mod", "main.go", "a/a.go", "a/page/x.html", ".env", "devguard.toml", "db/schema.sql", "tmpl/index.html"} {
		b, err := os.ReadFile(d.path(name))
		d.must(err)
		s.files[name], s.first[name] = string(b), string(b)
	}
	return s
}

// check asks for a snapshot and compares it with the files.
func (s *saver) check(after string) {
	s.Helper()
	got, want := s.catchUp(), s.want()
	if !got.SameContents(want) {
		s.Fatalf("%s: the snapshot has another %s\n%s", after, moved(got, want), s.differences())
	}
	if got.Version <= s.last.Version {
		s.Fatalf("%s: version %d after %d", after, got.Version, s.last.Version)
	}
	if got.Source != s.last.Source && got.Seq == s.last.Seq && s.last.Version > 0 {
		s.Fatalf("%s: other sources with the same Seq", after)
	}
	s.last = got
}

// want is the snapshot of the files, by their contents alone.
func (s *saver) want() change.Snapshot {
	var source, shape, runtime, styles, scripts, env, config, hook change.Sum
	missing := true
	for name, text := range s.files {
		path, sum := s.path(name), change.DigestOf([]byte(text))
		c := s.classify(path)
		if c.Source {
			source.Add(path, sum)
		}
		if c.Role != 0 {
			shape.Add(path, headOf(path, text, c.Role))
		}
		if c.Env {
			env.Add(path, sum)
		}
		if c.Config {
			config.Add(path, sum)
		}
		if len(c.Hooks) > 0 {
			hook.Add(name, sum)
		}
		switch {
		case c.Runtime:
			runtime.Add(path, sum)
		case c.Asset == classify.Style:
			styles.Add(path, sum)
		case c.Asset == classify.Script:
			scripts.Add(path, sum)
		}
		missing = missing && len(c.Outputs) == 0
	}
	for name, text := range s.first {
		if path := s.path(name); s.classify(path).Runtime {
			runtime.Remove(path, change.DigestOf([]byte(text)))
		}
	}
	return change.Snapshot{
		Source: source.Digest(), Shape: shape.Digest(), Runtime: runtime.Digest(),
		Styles: styles.Digest(), Scripts: scripts.Digest(), Env: env.Digest(), Config: config.Digest(),
		Hooks: []change.HookState{{Watch: hook.Digest(), Missing: missing}},
	}
}

func (s *saver) classify(path string) classify.Class {
	c, ok := s.classes[path]
	if !ok {
		c = s.plan.Rules.Classify(path)
		s.classes[path] = c
	}
	return c
}

func headOf(path, text string, role classify.Role) change.Digest {
	switch {
	case hasHeader(role):
		return header(path, []byte(text))
	case role == classify.Module:
		return change.DigestOf([]byte(text))
	}
	return presence
}

// save makes one write, in one of the ways in which editors and tools make them.
func (s *saver) save(i int) string {
	text := fmt.Sprintf("package p // %d\n", s.rnd.IntN(3)) // of one length: stamps may be equal
	if s.rnd.IntN(8) == 0 {
		text = "" // looks half saved
	}
	name := s.name()
	switch s.rnd.IntN(8) {
	case 0:
		return "rename over " + s.renameOver(name, text)
	case 1:
		return "remove " + s.unlink(name)
	case 2:
		return "new directory " + s.put(s.inNewDir(i), text)
	case 3:
		return "move directory " + s.moveDir(i)
	case 4:
		s.put(name, "package p // first of two\n")
	}
	return "write " + s.put(name, text)
}

func (s *saver) pick(names ...string) string { return names[s.rnd.IntN(len(names))] }

func (s *saver) name() string {
	return s.pick("main.go", "a/a.go", "a/new.go", "a/page/x.html", "a/page/y.html", "go.mod", // graph
		"tmpl/index.html", "tmpl/new.html", // include glob
		"static/a.css", "static/a.js", // fetched by pages
		"db/schema.sql", "db/new.sql", "gen/out.go", // hook
		".env", "devguard.toml")
}

func (s *saver) inNewDir(i int) string {
	return s.pick(fmt.Sprintf("a/page/d%d/e/x.html", i), fmt.Sprintf("tmpl/d%d/e/x.html", i), fmt.Sprintf("db/d%d/e/x.sql", i))
}

func (s *saver) put(name, text string) string {
	s.write(name, text)
	s.files[name] = text
	return name
}

func (s *saver) renameOver(name, text string) string {
	s.write("saved.tmp", text)
	s.mkdir(filepath.Dir(name))
	s.rename("saved.tmp", name)
	s.files[name] = text
	return name
}

func (s *saver) unlink(name string) string {
	if _, ok := s.files[name]; ok {
		s.remove(name)
		delete(s.files, name)
	}
	return name
}

// moveDir renames a directory that holds files of one kind.
func (s *saver) moveDir(i int) string {
	var dirs []string
	for name := range s.files {
		if strings.HasSuffix(filepath.Dir(name), "/e") {
			dirs = append(dirs, filepath.Dir(filepath.Dir(name)))
		}
	}
	if len(dirs) == 0 {
		return "(none)"
	}
	from := dirs[s.rnd.IntN(len(dirs))]
	to := filepath.Join(filepath.Dir(from), fmt.Sprintf("m%d", i))
	s.rename(from, to)
	for name, text := range s.files {
		if rest, ok := strings.CutPrefix(name, from+"/"); ok {
			delete(s.files, name)
			s.files[to+"/"+rest] = text
		}
	}
	return from + " to " + to
}

// TestCatchUpOfManyCallers has one caller for each kind of file, all at once.
func TestCatchUpOfManyCallers(t *testing.T) {
	t.Parallel()
	d := newWorld(t)
	d.start(Options{CookieDir: d.path(stateDir)})
	start := d.catchUp()
	var wg sync.WaitGroup
	for name, part := range map[string]func(change.Snapshot) change.Digest{
		"a/a.go":          func(s change.Snapshot) change.Digest { return s.Source },
		"tmpl/index.html": func(s change.Snapshot) change.Digest { return s.Runtime },
		".env":            func(s change.Snapshot) change.Digest { return s.Env },
		"devguard.toml":   func(s change.Snapshot) change.Digest { return s.Config },
		"db/schema.sql":   func(s change.Snapshot) change.Digest { return s.Hooks[0].Watch },
	} {
		wg.Go(func() {
			before := part(start)
			for i := range 100 {
				d.write(name, fmt.Sprint("package a // ", i))
				snap := d.catchUp()
				if after := part(snap); after == before {
					d.Errorf("write %d of %s is not in the snapshot", i, name)
				} else {
					before = after
				}
			}
		})
	}
	wg.Wait()
	d.noCookieTold()
}

// TestCatchUpWaitsForGit has git, which is asked in the background about a file that only an
// include glob names, answer late.
func TestCatchUpWaitsForGit(t *testing.T) {
	t.Parallel()
	d := newWorld(t)
	asked := make(chan struct{}, 100)
	d.plan.Rules.Ignored = func(path string) bool {
		if filepath.Base(path) == "late.html" {
			asked <- struct{}{}
			d.age() // some 20 ms
		}
		return false
	}
	d.start(Options{CookieDir: d.path(stateDir)})
	before := d.catchUp()
	d.write("tmpl/sub/late.html", "x")
	if after := d.catchUp(); after.Runtime == before.Runtime {
		t.Error("the new file is not in the snapshot")
	}
	<-asked
}

// TestCatchUpBeforeThePlan is answered at once: nothing is watched.
func TestCatchUpBeforeThePlan(t *testing.T) {
	w, err := New(Options{CookieDir: filepath.Join(t.TempDir(), "x")})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := w.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (d *world) callers() (n int) {
	d.w.ask(d.Context(), func(l *loop) error { n = len(l.callers); return nil })
	return n
}

// TestLooksDuringTheWalk looks at directories while the search for include globs has not come to the
// files in them. They were there before: to find them is no change.
func TestLooksDuringTheWalk(t *testing.T) {
	for name, tt := range map[string]struct {
		opts  Options
		first string // that the search waits at
	}{
		"files, in poll mode":       {Options{Poll: minPoll}, "index.html"},
		"files, with events":        {Options{CookieDir: stateDir}, "index.html"},
		"files, by sweeps":          {Options{}, "index.html"},
		"directories, in poll mode": {Options{Poll: minPoll}, "tmpl"},
		"directories, with events":  {Options{CookieDir: stateDir}, "tmpl"},
		"directories, by sweeps":    {Options{}, "tmpl"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newWorld(t)
			release := make(chan struct{})
			var waits atomic.Bool
			d.plan.Rules.Ignored = func(path string) bool {
				if filepath.Base(path) == tt.first && waits.CompareAndSwap(false, true) {
					<-release // whoever asks after the search gets an answer
				}
				return false
			}
			tt.opts.CookieDir = d.cookieDir(tt.opts.CookieDir)
			d.start(tt.opts)
			for i := range 3 {
				name := fmt.Sprintf("a/n%d.go", i)
				d.write(name, "package a\n")
				d.write(fmt.Sprintf("n%d.txt", i), "") // the directory above tmpl is listed again
				d.untilTold(name)
				d.sync()
				d.apply()
			}
			answer := make(chan change.Snapshot, 1)
			go func() {
				snap, err := d.w.CatchUp(d.Context())
				if err != nil {
					t.Error(err)
				}
				answer <- snap
			}()
			d.until("the call", func() bool { return d.callers() == 1 })
			close(release)
			if snap := <-answer; !snap.Runtime.IsZero() {
				t.Error("a file that was found is taken for a change")
			}
			d.write("tmpl/new.html", "x")
			if snap := d.catchUp(); snap.Runtime.IsZero() {
				t.Error("a new file is not in the snapshot")
			}
		})
	}
}
