package watch

import (
	"context"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/change"
)

func TestNoEventsAtAll(t *testing.T) {
	t.Parallel()
	d := newWorld(t)
	d.start(Options{open: func() (*source, error) { return nil, syscall.EMFILE }})
	if _, _, mode := d.w.Stats(); mode != "poll" {
		t.Errorf("mode is %s", mode)
	}
	d.write("a/a.go", "package a // x\n")
	d.untilTold("a/a.go")
	d.until("a note", func() bool { return d.seen.noteWith("no file events") })
	if !slices.ContainsFunc(d.seen.notes, func(n change.Note) bool { return n.Warn && n.Hint != "" }) {
		t.Errorf("notes: %+v", d.seen.notes)
	}
}

func TestWatchLimit(t *testing.T) {
	t.Parallel()
	d := newWorld(t)
	opened := func() (*source, error) {
		s, err := openSource()
		if err != nil {
			return nil, err
		}
		add, left := s.add, 2
		s.add = func(dir string) error {
			if left--; left < 0 {
				return syscall.ENOSPC
			}
			return add(dir)
		}
		return s, nil
	}
	d.start(Options{open: opened})
	for _, name := range []string{"main.go", "a/a.go", "db/schema.sql", "tmpl/index.html"} {
		d.until("all files", func() bool { _, n, _ := d.w.Stats(); return n >= 8 })
		d.write(name, "package x // changed")
		d.untilTold(name)
	}
	d.settled()
	if !d.seen.noteWith("limit of watches") {
		t.Errorf("notes: %+v", d.seen.notes)
	}
}

func TestPolling(t *testing.T) {
	t.Parallel()
	d := newWorld(t)
	d.start(Options{Poll: 20 * time.Millisecond})
	d.until("the walk", func() bool { _, n, _ := d.w.Stats(); return n >= 8 })
	for _, name := range []string{"main.go", "a/new.go", "a/page/deep/y.html", "tmpl/index.html", "tmpl/new/x.html", "db/more/x.sql", ".env"} {
		d.write(name, "package x // changed")
		d.untilTold(name)
	}
	d.remove("a")
	d.untilTold("a/a.go")
	d.write("a/a.go", "package a // back")
	d.until("its return", func() bool { return sameTree(d.seen.Snapshot, d.scratch()) })
}

func TestRemoteFileSystem(t *testing.T) {
	remote := func(string) (bool, string) { return false, "nfs" }
	t.Run("events arrive", func(t *testing.T) {
		t.Parallel()
		d := newWorld(t)
		d.start(Options{Local: remote})
		d.write("a/a.go", "package a // x\n")
		d.untilTold("a/a.go")
		if _, _, mode := d.w.Stats(); mode != "events" {
			t.Errorf("mode is %s", mode)
		}
	})
	t.Run("events do not", func(t *testing.T) {
		t.Parallel()
		d := newWorld(t)
		d.start(Options{Local: remote, open: deaf})
		d.write("a/a.go", "package a // x\n")
		d.untilTold("a/a.go")
		d.until("the switch", func() bool { return d.seen.noteWith("no event told of") })
		if _, _, mode := d.w.Stats(); mode != "poll" {
			t.Errorf("mode is %s", mode)
		}
		d.until("the walk", func() bool { _, n, _ := d.w.Stats(); return n >= 8 })
		d.write("tmpl/index.html", "now polled too")
		d.untilTold("tmpl/index.html")
	})
	t.Run("off", func(t *testing.T) {
		t.Parallel()
		d := newWorld(t)
		d.start(Options{Local: remote, open: deaf, Poll: PollOff})
		var polls bool
		d.w.ask(context.Background(), func(l *loop) error { polls = l.tick != nil; return nil })
		if polls {
			t.Error("it polls")
		}
	})
}

func TestPace(t *testing.T) {
	for sweep, want := range map[time.Duration]time.Duration{
		0: autoPoll, 100 * time.Millisecond: autoPoll, 200 * time.Millisecond: 1800 * time.Millisecond, 3 * time.Second: 27 * time.Second,
	} {
		if got := pace(sweep); got != want {
			t.Errorf("after a sweep of %s the next one is in %s, want %s", sweep, got, want)
		}
	}
}
