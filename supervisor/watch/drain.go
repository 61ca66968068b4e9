package watch

import (
	"context"
	"errors"
	"slices"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/devguard/devguard/supervisor/change"
)

// maxNames bounds the names kept of a burst; beyond it everything is looked at
// anyway, which costs no more than that many names.
const maxNames = 1 << 16

// batch is what the kernel reported while the loop was busy.
type batch struct {
	at    time.Time // of the first event; zero while there is none
	names map[string]fsnotify.Op
	lost  bool // events are missing
	err   error
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
		return // fsnotify ends a watch that the kernel has ended already: a directory was moved, then deleted
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

// drain empties the event queue into batches. It does no work per event: the
// kernel's queue holds 16,384 of them, a checkout of 5,000 files makes 20,000
// (latency.md §7).
func drain(ctx context.Context, src *source, batches chan<- batch) {
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

// mailbox passes sets to the reader, the oldest first, and merges those that
// wait.
func mailbox(ctx context.Context, in <-chan change.Set, out chan<- change.Set) {
	var waiting []change.Set
	for {
		var to chan<- change.Set
		var oldest change.Set
		if len(waiting) > 0 {
			to, oldest = out, waiting[0]
		}
		select {
		case s := <-in:
			waiting = stack(waiting, s)
		case to <- oldest:
			waiting = slices.Delete(waiting, 0, 1)
		case <-ctx.Done():
			return
		}
	}
}

// stack adds a set to those that wait. A set is merged with the one before it
// once it has half as many paths, so that few wait and that no path is merged
// more than a few times, however long the reader takes.
func stack(waiting []change.Set, s change.Set) []change.Set {
	waiting = append(waiting, s)
	for n := len(waiting); n > 1 && size(waiting[n-1]) >= size(waiting[n-2])/2; n-- {
		waiting[n-2] = waiting[n-2].Merge(waiting[n-1])
		waiting = slices.Delete(waiting, n-1, n)
	}
	return waiting
}

func size(s change.Set) int { return 1 + len(s.Paths) }
