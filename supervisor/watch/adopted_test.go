package watch

import (
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/classify"
)

// Whoever listed or built files before they were watched must know whether they have changed since.
func TestAdoptedTellsWhenNewFilesChanged(t *testing.T) {
	for name, last := range map[string]func(*world){
		"a file the graph has":         func(d *world) { d.write("c/c.go", "package c // 2\n") },
		"a file the graph has not":     func(d *world) { d.write("c/d.go", "package c\n") },
		"a file with an old time":      func(d *world) { d.rename("old.go", "c/d.go") },
		"a file that was removed":      func(d *world) { d.remove("c/d.go") },
		"a directory that was removed": func(d *world) { d.remove("c") },
	} {
		t.Run(name, func(t *testing.T) {
			d := newWorld(t)
			d.write("c/c.go", "package c\n")
			d.write("c/d.go", "package c\n")
			d.write("old.go", "package c\n")
			d.start(Options{Poll: PollOff})
			d.plan = d.makePlan()
			g := d.plan.Rules.Graph
			g.Files[d.path("c/c.go")] = classify.GoFile
			g.Dirs[d.path("c")] = classify.Dir{Package: "example.com/m/c"}
			d.age()
			listed := time.Now()
			last(d)
			if snap := d.apply(); snap.Adopted.Before(listed) {
				t.Errorf("adopted %s, after %s", snap.Adopted, listed)
			}
			if snap := d.apply(); !snap.Adopted.IsZero() && name != "a directory that was removed" {
				t.Errorf("nothing was adopted, but %s is told", snap.Adopted)
			}
		})
	}
}

func TestHeadersGrowWithWhatAListingReads(t *testing.T) {
	d := newWorld(t)
	before := d.start(Options{CookieDir: d.cookieDir(stateDir)}).Headers
	for _, tt := range []struct {
		name string
		do   func()
		more bool
	}{
		{"a body", func() { d.replace("main.go", "package main\n\nfunc main() { println() }\n") }, false},
		{"an import", func() { d.replace("main.go", "package main\nimport _ \"os\"\n\nfunc main() {}\n") }, true},
		{"an import and back", func() {
			d.replace("a/a.go", "package a\nimport _ \"os\"\n")
			d.caughtUp()
			d.replace("a/a.go", "package a\n")
		}, true},
		{"a new file", func() { d.replace("a/new.go", "package a\n") }, true},
		{"a file that goes", func() { d.remove("a/new.go") }, true},
		{"a test file", func() { d.replace("a/a_test.go", "package a\n") }, true},
		{"the body of a test file", func() { d.replace("a/a_test.go", "package a\n\nvar x = 1\n") }, false},
		{"the package clause of a test file", func() { d.replace("a/a_test.go", "package b\n\nvar x = 1\n") }, true},
		{"an embedded file", func() { d.replace("a/page/x.html", "<b>") }, false},
		{"go.mod", func() { d.replace("go.mod", "module example.com/m\n\ngo 1.25\n") }, true},
	} {
		tt.do()
		after := d.caughtUp().Headers
		if (after != before) != tt.more {
			t.Errorf("%s: headers from %d to %d, want growth %v", tt.name, before, after, tt.more)
		}
		before = after
	}
}
