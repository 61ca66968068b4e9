package watch

import (
	"os"
	"strconv"
	"testing"

	"github.com/fsnotify/fsnotify"

	"github.com/devguard/devguard/supervisor/testneed"
)

// TestInjectedOverflow loses events on purpose.
func TestInjectedOverflow(t *testing.T) {
	t.Parallel()
	d := newWorld(t)
	errs := make(chan error)
	opened := func() (*source, error) {
		s, err := deaf()
		s.errors = errs
		return s, err
	}
	d.start(Options{open: opened})
	d.until("the walk", func() bool { _, n, _ := d.w.Stats(); return n >= 8 })
	d.write("a/a.go", "package a // lost\n")
	d.write("a/page/deep/new.html", "lost")
	d.write("tmpl/new/deep/x.html", "lost")
	d.write("tmpl/index.html", "lost")
	d.remove("db")
	errs <- fsnotify.ErrEventOverflow
	for _, name := range []string{"a/a.go", "a/page/deep/new.html", "tmpl/new/deep/x.html", "tmpl/index.html", "db/schema.sql"} {
		d.untilTold(name)
	}
	if !d.seen.noteWith("more file events") {
		t.Errorf("notes: %+v", d.seen.notes)
	}
	d.settled()
}

// TestRealOverflow stops reading until the kernel's queue runs over.
func TestRealOverflow(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	if err != nil {
		testneed.Skip(t, "inotify", err)
	}
	queue, _ := strconv.Atoi(string(b[:len(b)-1]))
	d := newWorld(t)
	pause := make(chan chan struct{})
	d.start(Options{open: func() (*source, error) { return pausable(pause) }})
	resume := make(chan struct{})
	pause <- resume
	for i := range queue/2 + 2*eventBuffer { // each makes two or more events
		d.write("a/f"+strconv.Itoa(i)+".txt", strconv.Itoa(i))
	}
	d.write("a/a.go", "package a // in the flood\n")
	d.write("new/deep/x.html", "<p>")
	close(resume)
	d.untilTold("a/a.go")
	d.untilTold("new/deep/x.html")
	d.until("the note", func() bool { return d.seen.noteWith("more file events") })
	d.settled()
}

// pausable is the real source, behind a goroutine that can be told to stop reading.
func pausable(pause chan chan struct{}) (*source, error) {
	fs, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	events := make(chan fsnotify.Event)
	done := make(chan struct{})
	closing := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case resume := <-pause:
				<-resume
			case ev, ok := <-fs.Events:
				if !ok {
					return
				}
				select {
				case events <- ev:
				case <-closing:
					return
				}
			}
		}
	}()
	closed := false
	return &source{events, fs.Errors, fs.Add, fs.Remove, fs.WatchList, func() error {
		if closed {
			return nil
		}
		closed = true
		close(closing)
		err := fs.Close()
		<-done
		return err
	}}, nil
}
