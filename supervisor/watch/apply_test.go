package watch

import (
	"testing"

	"github.com/devguard/devguard/supervisor/change"
)

// A plan about more files is no edit: who applies it gets the new state, and no
// set comes before that, which the reader of sets would take for one.
func TestApplyTellsWhoAsked(t *testing.T) {
	d := newWorld(t)
	d.write("b/b.go", "package b\n")
	d.start(Options{})
	d.quiet()
	d.plan = d.makePlan()
	g := d.plan.Rules.Graph
	g.Files[d.path("b/b.go")] = change.GoFile
	g.Dirs = append(g.Dirs, change.Dir{Path: d.path("b"), Package: "b"})
	snap := d.apply()
	d.write("b/b.go", "package b // edited\n")
	set := <-d.w.Changes()
	if len(set.Paths) == 0 || set.Version <= snap.Version {
		t.Errorf("a set without an edit: %+v, after %+v", set, snap)
	}
}
