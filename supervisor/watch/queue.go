package watch

import (
	"context"
	"errors"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

// maxNames bounds the names kept of a burst. With more of them all files are looked at, as after an
// overflow, which costs no more than that many names.
const maxNames = 1 << 16

// batch is what fsnotify has reported while the loop was busy.
type batch struct {
	at    time.Time // of the first event; zero while there is none
	names map[string]fsnotify.Op
	lost  bool  // events are missing: names are not all, or none
	err   error // why, unless the queue has overflowed
}

func (b *batch) add(ev fsnotify.Event) {
	b.seen()
	if b.lost {
		return
	}
	if b.names == nil {
		b.names = map[string]fsnotify.Op{}
	}
	b.names[ev.Name] |= ev.Op
	if len(b.names) > maxNames {
		b.names, b.lost = nil, true
	}
}

func (b *batch) fail(err error) {
	if errors.Is(err, syscall.EINVAL) {
		return // a directory was moved, then deleted: fsnotify ends a watch that the kernel had ended
	}
	b.seen()
	b.lost = true
	if !errors.Is(err, fsnotify.ErrEventOverflow) {
		b.err = err
	}
}

func (b *batch) seen() {
	if b.at.IsZero() {
		b.at = time.Now()
	}
}

// readQueue empties the event queue into batches, as fast as it can: the kernel keeps 16,384 events
// (fs.inotify.max_queued_events) before the queue overflows, and a checkout of 5,000 files makes
// 20,000 (docs/latency.md).
func readQueue(ctx context.Context, src *source, batches chan<- batch) {
	var pending batch
	events, errs := src.events, src.errors
	for {
		var out chan<- batch
		if !pending.at.IsZero() {
			out = batches
		}
		select {
		case ev, ok := <-events:
			if !ok {
				events = nil
				continue
			}
			pending.add(ev)
		case err, ok := <-errs:
			if !ok {
				errs = nil
				continue
			}
			pending.fail(err)
		case out <- pending:
			pending = batch{}
		case <-ctx.Done():
			return
		}
	}
}
