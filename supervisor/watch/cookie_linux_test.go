package watch

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/fsnotify/fsnotify"

	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/classify"
)

// held is a watcher whose events are held back until release is called.
func held(t *testing.T) (d *world, hold func() (release func())) {
	d = newWorld(t)
	pause := make(chan chan struct{})
	d.start(Options{open: func() (*source, error) { return pausable(pause) }, CookieDir: d.path(stateDir)})
	d.catchUp()
	return d, func() func() {
		resume := make(chan struct{})
		pause <- resume
		return func() { close(resume) }
	}
}

// catchUpLater calls CatchUp and returns, once the cookie is on its way, what waits for the answer.
func (d *world) catchUpLater() func() change.Snapshot {
	d.Helper()
	sent := d.cookiesSent()
	answer := make(chan change.Snapshot, 1)
	go func() {
		snap, err := d.w.CatchUp(d.Context())
		if err != nil {
			d.Error(err)
		}
		answer <- snap
	}()
	d.until("a cookie", func() bool { return d.cookiesSent() > sent })
	return func() change.Snapshot { return <-answer }
}

// TestCookieSurvives does things to the directory of the cookies while one is on its way. This call
// and the next one are answered with what was written before them.
func TestCookieSurvives(t *testing.T) {
	for name, do := range map[string]func(d *world){
		"nothing":                         func(*world) {},
		"its directory is removed":        func(d *world) { d.remove(stateDir) },
		"the one above it is removed":     func(d *world) { d.remove(".devguard") },
		"its directory is moved away":     func(d *world) { d.rename(stateDir, "away") },
		"the one above it is moved away":  func(d *world) { d.rename(".devguard", "away") },
		"its directory is exchanged":      func(d *world) { d.rename(stateDir, "away"); d.mkdir(stateDir) },
		"the one above it is exchanged":   func(d *world) { d.rename(".devguard", "away"); d.mkdir(stateDir) },
		"its directory gives way":         func(d *world) { d.remove(stateDir); d.write(stateDir, "a file") },
		"its directory becomes a link":    func(d *world) { d.remove(stateDir); d.mkdir("real"); d.link(d.path("real"), stateDir) },
		"its file is removed":             func(d *world) { d.remove(stateDir); d.mkdir(stateDir) },
		"its watch is renewed meanwhile":  func(d *world) { d.must(os.Chmod(d.path("a"), 0o700)); d.must(os.Chmod(d.root, 0o700)) },
		"the module is moved and returns": func(d *world) { d.must(os.Rename(d.root, d.root+"x")); d.must(os.Rename(d.root+"x", d.root)) },
		"its permissions are changed":     func(d *world) { d.must(os.Chmod(d.path(stateDir), 0o500)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, hold := held(t)
			s := newSaver(d, 1)
			for i := range 3 {
				release := hold()
				s.put("a/a.go", "package a // "+strconv.Itoa(i))
				s.put("tmpl/n"+strconv.Itoa(i)+"/x.html", "x")
				answer := d.catchUpLater()
				if i == 1 {
					do(d)
				}
				release()
				if got, want := answer(), s.want(); !got.SameContents(want) {
					t.Fatalf("call %d: another %s", i, moved(got, want))
				}
				if i == 1 {
					s.put("a/a.go", "package a // between")
					s.check("the next call")
				}
				if name == "its directory gives way" && i == 1 {
					d.remove(stateDir)
					d.catchUp() // a sweep finds out that there is room again
				}
			}
		})
	}
}

// TestCookieInAnOverflow has the kernel drop the cookie, or what was before it.
func TestCookieInAnOverflow(t *testing.T) {
	b, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	if err != nil {
		t.Fatal(err)
	}
	queue, _ := strconv.Atoi(string(b[:len(b)-1]))
	all := queue + 8*eventBuffer // some are read before the queue is full
	for name, before := range map[string]int{"the cookie is dropped": all, "it comes through": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, hold := held(t)
			s := newSaver(d, 1)
			d.write("a/0.txt", "")
			d.write("a/1.txt", "")
			d.catchUp()
			release := hold()
			flood := func(n int) {
				for i := range n { // by turns: the kernel merges equal events that follow each other
					d.must(os.Chmod(d.path("a/"+strconv.Itoa(i%2)+".txt"), 0o600))
				}
			}
			flood(before)
			s.put("a/a.go", "package a // in the flood\n")
			s.put("tmpl/new/deep/x.html", "<p>")
			s.put("db/schema.sql", "x")
			answer := d.catchUpLater()
			flood(all - before)
			release()
			if got, want := answer(), s.want(); !got.SameContents(want) {
				t.Fatalf("another %s", moved(got, want))
			}
			d.until("the note", func() bool { return d.seen.noteWith("more file events") })
			s.put(".env", "A=3")
			s.check("after the overflow")
		})
	}
}

func TestCatchUpEnds(t *testing.T) {
	d := newWorld(t)
	d.start(Options{open: deaf, CookieDir: d.path(stateDir), Poll: PollOff})
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 2)
	go func() { _, err := d.w.CatchUp(ctx); failed <- err }()
	d.until("a cookie", func() bool { return d.cookiesSent() == 1 })
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of its context: %v", err)
	}
	go func() { _, err := d.w.CatchUp(t.Context()); failed <- err }()
	d.until("another cookie", func() bool { return d.cookiesSent() == 2 })
	d.must(d.w.Close())
	if err := <-failed; !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if names, _ := filepath.Glob(d.path(stateDir + "/*")); len(names) > 0 {
		t.Errorf("files are left: %q", names)
	}
}

func (d *world) cookiesSent() (n uint64) {
	d.w.ask(d.Context(), func(l *loop) error { n = l.cookies.sent; return nil })
	return n
}

func TestCatchUpInAnInjectedOverflow(t *testing.T) {
	t.Parallel()
	d := newWorld(t)
	errs := make(chan error)
	d.start(Options{CookieDir: d.path(stateDir), open: func() (*source, error) {
		s, err := deaf()
		s.errors = errs
		return s, err
	}})
	d.until("the walk", d.walked)
	s := newSaver(d, 1)
	s.put("a/a.go", "package a // lost\n")
	s.put("tmpl/new/deep/x.html", "lost")
	answer := d.catchUpLater()
	errs <- fsnotify.ErrEventOverflow
	if got, want := answer(), s.want(); !got.SameContents(want) {
		t.Fatalf("another %s", moved(got, want))
	}
}

// TestCookieThatDoesNotCome is that of a file system that makes no events, though it is local.
func TestCookieThatDoesNotCome(t *testing.T) {
	t.Parallel()
	d := newWorld(t)
	d.start(Options{open: deaf, CookieDir: d.path(stateDir), Poll: PollOff})
	s := newSaver(d, 1)
	d.until("the walk", d.walked)
	s.put("a/a.go", "package a // unseen\n")
	s.put("tmpl/new/x.html", "unseen")
	s.check("a cookie was given up")
}

// TestCookieIsNoWork calls CatchUp many times: no set is sent, and nothing is counted.
func TestCookieIsNoWork(t *testing.T) {
	t.Parallel()
	d := newWorld(t)
	d.start(Options{CookieDir: d.path(stateDir)})
	d.until("the walk", d.walked)
	dirs, files, _ := d.w.Stats()
	before := d.catchUp()
	d.reset()
	var after change.Snapshot
	for range 100 {
		after = d.catchUp()
		d.write(stateDir+"/control.json", "x") // devguard's own files are beside it
	}
	if !after.SameState(before) || after.Headers != before.Headers {
		t.Errorf("from %+v to %+v", before, after)
	}
	if nowDirs, nowFiles, _ := d.w.Stats(); nowDirs != dirs || nowFiles != files {
		t.Errorf("%d directories and %d files, were %d and %d", nowDirs, nowFiles, dirs, files)
	}
	d.noCookieTold()
	if d.seen.sets != 1 {
		t.Errorf("%d sets were sent for one edit", d.seen.sets)
	}
	if names := d.ls(stateDir); len(names) != 2 {
		t.Errorf("the directory has %q", names)
	}
}

func (d *world) ls(name string) (names []string) {
	entries, err := os.ReadDir(d.path(name))
	d.must(err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestCookieIsNoFileOfAHook has a hook watch the very directory: its own files count there, the
// cookie does not.
func TestCookieIsNoFileOfAHook(t *testing.T) {
	t.Parallel()
	d := newWorld(t)
	d.write(stateDir+"/cookie-7", "left by an earlier run")
	d.plan.Rules.Hooks = []classify.Hook{{Name: "own", Watch: []string{stateDir + "/**"}}}
	before := d.start(Options{CookieDir: d.path(stateDir)})
	if !before.Hooks[0].Watch.IsZero() {
		t.Error("an old cookie counts")
	}
	for range 10 {
		if after := d.catchUp(); !after.SameState(before) {
			t.Fatalf("from %+v to %+v", before, after)
		}
	}
	d.write(stateDir+"/x", "x")
	if after := d.catchUp(); after.Hooks[0].Watch == before.Hooks[0].Watch {
		t.Error("a file beside the cookie does not count")
	}
}

// TestCookieWithoutAWatch is at the limit of watches.
func TestCookieWithoutAWatch(t *testing.T) {
	t.Parallel()
	d := newWorld(t)
	dir := d.path(stateDir)
	d.start(Options{CookieDir: dir, open: func() (*source, error) {
		s, err := openSource()
		if err != nil {
			return nil, err
		}
		add := s.add
		s.add = func(path string) error {
			if path == dir {
				return errors.New("no room")
			}
			return add(path)
		}
		return s, nil
	}})
	s := newSaver(d, 1)
	for i := range 20 {
		s.check(s.save(i))
	}
}

// The go command may have read a file that is gone before anybody here has looked at it.
func TestFilesThatComeAndGoAreCounted(t *testing.T) {
	d := newWorld(t)
	d.mkdir("other")
	d.start(Options{CookieDir: d.cookieDir(stateDir)})
	before := d.caughtUp() // all directories are watched
	for range 100 {
		d.write("a/broken_test.go", "pack")
		d.remove("a/broken_test.go")
		d.write("other/x.go", "package other")
		after := d.caughtUp()
		if after.Headers == before.Headers {
			t.Fatal("a test file of a package came and went, and Headers stands")
		}
		if after.Unlisted == before.Unlisted {
			t.Fatal("a Go file of another directory was written, and Unlisted stands")
		}
		before = after
	}
}
