package watch

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/logline"
)

// Values of Options.Poll that are not an interval.
const (
	PollAuto time.Duration = 0  // where the file system is not known to deliver events
	PollOff  time.Duration = -1 // never
)

// minPoll is the shortest interval accepted: a sweep of a middling service (a thousand files, a
// microsecond or two each) takes milliseconds, and below this interval devguard would be busy with
// sweeps alone.
const minPoll = 10 * time.Millisecond

// autoPoll is the interval between sweeps where nobody has chosen one: on a file system that is not
// known to be local, and where no events are to be had.
const autoPoll = time.Second

// Options are how to watch. The zero value is the default: events, and polling as well where they
// may not arrive.
type Options struct {
	// Poll is PollAuto, PollOff or an interval of at least 10 ms. With an interval there are no
	// events, only sweeps.
	Poll time.Duration

	// Local reports whether the file system of dir delivers an event for every change, and what it
	// is called. Nil asks the system.
	Local func(dir string) (local bool, fsType string)

	// CookieDir is a directory for this watcher's own use, .devguard/NAME, which no include glob
	// reaches. CatchUp renames a file in it, and makes the directory when it is missing. Empty:
	// CatchUp looks at all files instead.
	CookieDir string

	open func() (*source, error) // tests: another source of events; nil is fsnotify
	told func(name string)       // tests: is told of each file that is looked at; nil in use
}

// ErrClosed is returned by methods of a Watcher that was closed.
var ErrClosed = errors.New("the watcher is closed")

// Watcher watches the files that a Plan names. Its methods may be called from any goroutine.
type Watcher struct {
	ctx     context.Context
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	asks    chan func(*loop)
	changes chan change.Set
	source  *source // nil when events are not used
}

// New returns a watcher that watches nothing yet. When the system refuses events that is no error:
// the watcher polls, and says so in a Note.
func New(opts Options) (*Watcher, error) {
	if opts.Poll > 0 && opts.Poll < minPoll || opts.Poll < PollOff {
		return nil, logline.WithHint(fmt.Errorf("watch.poll is %s", opts.Poll), fmt.Sprintf("use \"auto\", \"off\" or an interval of at least %s", minPoll))
	}
	if opts.Local == nil {
		opts.Local = local
	}
	if opts.open == nil {
		opts.open = openSource
	}
	if opts.CookieDir != "" {
		opts.CookieDir = filepath.Clean(opts.CookieDir)
	}
	w := &Watcher{asks: make(chan func(*loop)), changes: make(chan change.Set)}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	l := newLoop(w, opts)
	if opts.Poll <= 0 {
		var err error
		if w.source, err = opts.open(); err != nil {
			l.note(noEvents(err, l.remedy()))
		}
	}
	l.dirs.source = w.source
	w.start(l)
	return w, nil
}

func (w *Watcher) start(l *loop) {
	posts := make(chan change.Set)
	l.posts = posts
	w.wg.Go(func() { mailbox(w.ctx, posts, w.changes) })
	if w.source != nil {
		batches := make(chan batch)
		l.batches = batches
		w.wg.Go(func() { readQueue(w.ctx, w.source, batches) })
	}
	w.wg.Go(func() { l.run(w.ctx) })
}

// Apply watches what the plan names: at start, and each time the graph or the configuration has
// changed. It sets watches first and reads files then. It returns when the files of the graph and
// of hooks are known; files that only match include globs are found later, in the background. What
// is known of files that were watched before is kept: changes found in them are also sent as a Set.
//
// The plan and what it points to must not be changed afterwards. When ctx ends first, only part of
// the plan is in force: call Apply again.
func (w *Watcher) Apply(ctx context.Context, plan Plan) (change.Snapshot, error) {
	var snap change.Snapshot
	err := w.ask(ctx, func(l *loop) error {
		var err error
		snap, err = l.apply(ctx, plan)
		return err
	})
	if err != nil {
		return change.Snapshot{}, fmt.Errorf("watch files: %w", err)
	}
	return snap, nil
}

// Sync looks now at all files of the graph and of hooks, without waiting for events, and at those of
// the running app that are known; if these are many it waits for events instead. The changes that it
// finds are in the snapshot, and are sent as a Set too.
func (w *Watcher) Sync(ctx context.Context) (change.Snapshot, error) {
	var snap change.Snapshot
	err := w.ask(ctx, func(l *loop) error {
		var err error
		snap, err = l.sync(ctx)
		return err
	})
	if err != nil {
		return change.Snapshot{}, fmt.Errorf("look at watched files: %w", err)
	}
	return snap, nil
}

// Changes returns the channel of change sets. It is never closed.
func (w *Watcher) Changes() <-chan change.Set { return w.changes }

// Stats returns the number of directories watched, of files whose contents are known, and the mode:
// "events" or "poll". After Close it returns zeros.
func (w *Watcher) Stats() (dirs, files int, mode string) {
	w.ask(context.Background(), func(l *loop) error {
		dirs, files, mode = l.dirs.count(), len(l.files), l.mode()
		return nil
	})
	return dirs, files, mode
}

// Close ends all watching and waits for it. Close may be called twice.
func (w *Watcher) Close() error {
	w.cancel()
	var err error
	if w.source != nil {
		err = w.source.close()
	}
	w.wg.Wait()
	return err
}

// ask has the loop run f and returns its error. Once f has begun it is waited for; it must end soon
// when ctx does.
func (w *Watcher) ask(ctx context.Context, f func(*loop) error) error {
	done := make(chan error, 1)
	select {
	case w.asks <- func(l *loop) { done <- f(l) }:
	case <-ctx.Done():
		return ctx.Err()
	case <-w.ctx.Done():
		return ErrClosed
	}
	return <-done
}

// source is where events come from: fsnotify, or in tests something else.
type source struct {
	events <-chan fsnotify.Event
	errors <-chan error
	add    func(dir string) error
	remove func(dir string) error
	list   func() []string
	close  func() error
}

// eventBuffer is how many events fsnotify may hand over without a switch of goroutines for each.
const eventBuffer = 1024

func openSource() (*source, error) {
	fs, err := fsnotify.NewBufferedWatcher(eventBuffer)
	if err != nil {
		return nil, err
	}
	return &source{fs.Events, fs.Errors, fs.Add, fs.Remove, fs.WatchList, fs.Close}, nil
}
