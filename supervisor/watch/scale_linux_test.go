package watch

import (
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
)

// looks counts which files are looked at, and how often.
type looks struct {
	mu sync.Mutex
	at map[string]int
}

func (c *looks) told(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at[name]++
}

// since returns the counts from the last call on.
func (c *looks) since() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.at
	c.at = map[string]int{}
	return at
}

// pagesBeside is a tree with so many pages that no build may look at each.
func pagesBeside(t *testing.T, options func(d *world) Options) (*world, *looks) {
	d := newWorld(t)
	for i := range manyFiles {
		d.write(fmt.Sprintf("tmpl/many/%02d/%d.html", i%40, i), "<p>")
	}
	c := &looks{at: map[string]int{}}
	opts := options(d)
	opts.told = c.told
	d.start(opts)
	d.until("the walk", d.walked)
	c.since()
	return d, c
}

// TestSyncLooksAtTheGraph holds that what Sync costs does not grow with the tree, and that it knows
// all the same what was saved in it.
func TestSyncLooksAtTheGraph(t *testing.T) {
	t.Parallel()
	d, c := pagesBeside(t, func(d *world) Options { return Options{CookieDir: d.path(stateDir)} })
	before := d.sync()
	d.quiet()
	c.since()
	d.sync()
	if n := len(c.since()); n == 0 || n > 20 {
		t.Errorf("%d files are looked at, want those of the graph and of hooks", n)
	}
	d.write("tmpl/many/01/1.html", "<p>saved")
	if got := d.sync(); got.Runtime == before.Runtime {
		t.Error("a page that was saved before is not in the state")
	}
	if at := c.since(); len(at) > 20 || at[d.path("tmpl/many/01/1.html")] == 0 {
		t.Errorf("%d files are looked at for one save: %v", len(at), at)
	}
}

// TestSyncWithoutEvents holds that all is looked at when the cookie does not come.
func TestSyncWithoutEvents(t *testing.T) {
	t.Parallel()
	d, c := pagesBeside(t, func(d *world) Options { return Options{CookieDir: d.path(stateDir), open: deaf} })
	before := d.sync()
	c.since()
	d.write("tmpl/many/01/1.html", "<p>saved")
	if got := d.sync(); got.Runtime == before.Runtime {
		t.Errorf("the save is not in the state; %d files were looked at", len(c.since()))
	}
}

// TestWalkGoesWhereGlobsLead holds that the tree beside the directories that watch.include names is
// not searched.
func TestWalkGoesWhereGlobsLead(t *testing.T) {
	t.Parallel()
	d := newWorld(t)
	d.plan.Rules.Include = []string{"tmpl/**/*.html", "later/new/*.html"}
	for i := range 50 {
		d.write(fmt.Sprintf("data/%d/x.html", i), "<p>")
	}
	d.start(Options{})
	d.until("the walk", d.walked)
	d.mkdir("data2/new")
	d.write("later/new/x.html", "<p>")
	d.write("tmpl/deep/x.html", "<p>")
	d.untilTold("later/new/x.html")
	d.untilTold("tmpl/deep/x.html")
	d.quiet()
	d.w.ask(t.Context(), func(l *loop) error {
		for path := range l.dirs.byName {
			if strings.HasPrefix(path, d.path("data")) {
				t.Errorf("%s is watched", path)
			}
		}
		return nil
	})
}

// TestSaveLooksAtOneFile holds that what an event costs does not grow with the tree.
func TestSaveLooksAtOneFile(t *testing.T) {
	t.Parallel()
	d, c := pagesBeside(t, func(*world) Options { return Options{} })
	for _, name := range []string{"a/a.go", "tmpl/many/01/1.html"} {
		d.reset()
		d.write(name+"~", "an editor's backup")
		d.write(name, "saved")
		d.remove(name + "~")
		d.untilTold(name)
	}
	d.quiet()
	if at := c.since(); len(at) > 8 {
		t.Errorf("for two saves %d files are looked at: %v", len(at), at)
	}
	d.w.ask(t.Context(), func(l *loop) error {
		if !maps.Equal(l.below, counted(l.files)) {
			t.Errorf("below which directories files are: %v, want %v", l.below, counted(l.files))
		}
		gone := func(name string) bool { return l.knownIn(map[string]struct{}{d.path(name): {}}) }
		if gone("a/a.go~") || gone("tmpl/man") || !gone("tmpl") || !gone("tmpl/many/01") || !gone("a/a.go") {
			t.Error("the wrong paths are told to have known files below")
		}
		return nil
	})
}
