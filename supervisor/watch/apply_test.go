package watch

import (
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/change"
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
	g.Dirs[d.path("b")] = classify.Dir{Package: "b"}
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

// A file that was removed and is written again just before a plan is applied is an edit, though the
// plan is what finds it: it was watched all the time. A build that has run meanwhile is stale.
func TestApplyFindsAnEdit(t *testing.T) {
	for _, name := range []string{"a/a.go", "a/page/x.html", "a/new.go", "a/page/d/e/y.html", "go.mod", ".env", "devguard.toml", "db/schema.sql", "db/d/e/x.sql"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newWorld(t)
			d.start(Options{open: deaf})
			d.remove(name)
			before := d.sync()
			d.write(name, "package a // again\n")
			after := d.apply()
			d.until("it", func() bool {
				op := d.seen.ops[d.path(name)]
				return op == change.Create || op == change.Write // the latter when its removal was not read yet
			})
			if after.SameContents(before) {
				t.Error("the contents are the same")
			}
			if after.Source != before.Source && after.Seq == before.Seq {
				t.Error("the write does not count")
			}
		})
	}
}

// A file that was there before, in a directory that was watched, is new to the plan alone.
func TestApplyFindsWhatCountsNow(t *testing.T) {
	d := newWorld(t)
	d.write("a/text.txt", "x")
	d.write("a/more.txt", "x")
	before := d.start(Options{open: deaf})
	d.plan = d.makePlan()
	d.plan.Rules.Graph.Files[d.path("a/text.txt")] = classify.Embedded
	d.plan.Rules.Graph.Dirs[d.path("a")] = classify.Dir{Package: "example.com/m/a", Embeds: []string{"page", "*.txt"}}
	after := d.apply()
	if after.Source == before.Source || after.Adopted.IsZero() {
		t.Errorf("the files are not in the snapshot: %+v", after)
	}
	if after.Seq != before.Seq {
		t.Error("to find a file counts as a write")
	}
}
