package watch

import (
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/classify"
)

// A plan about more files is no edit: who applies it gets the new state, and no set comes before
// that, which the reader of sets would take for one.
func TestApplyTellsWhoAsked(t *testing.T) {
	d := newWorld(t)
	d.write("b/b.go", "package b\n")
	d.start(Options{})
	d.quiet()
	d.plan = d.makePlan()
	g := d.plan.Rules.Graph
	g.Files[d.path("b/b.go")] = classify.GoFile
	g.Dirs = append(g.Dirs, classify.Dir{Path: d.path("b"), Package: "b"})
	snap := d.apply()
	d.write("b/b.go", "package b // edited\n")
	set := <-d.w.Changes()
	if len(set.Paths) == 0 || set.Version <= snap.Version {
		t.Errorf("a set without an edit: %+v, after %+v", set, snap)
	}
}

// A file whose build constraint was edited is known already, and is new to the build all the same.
func TestApplyFindsWhatIsNoLongerExcluded(t *testing.T) {
	d := newWorld(t)
	d.write("a/b.go", "//go:build ignore\n\npackage a\n")
	d.plan.Rules.Graph.Files[d.path("a/b.go")] = classify.Excluded
	d.start(Options{})
	edited := time.Now()
	d.write("a/b.go", "package a\n")
	d.untilTold("a/b.go")
	d.plan = d.makePlan()
	d.plan.Rules.Graph.Files[d.path("a/b.go")] = classify.GoFile
	if snap := d.apply(); snap.Adopted.Before(edited) {
		t.Errorf("the latest change of what the plan brings is %v, before the edit at %v", snap.Adopted, edited)
	}
}
