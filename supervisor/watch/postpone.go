package watch

import (
	"context"
	"time"

	"github.com/fsnotify/fsnotify"
)

// How long a file may be empty or gone before that is believed, and at most, however often it is.
// Editors that truncate and write, or rename and create, do so within 2.3 ms (docs/latency.md). The
// event of the second half ends the wait at once, so no save is later for it.
const (
	halfSaved    = 2 * time.Millisecond
	halfSavedMax = 10 * time.Millisecond
)

// postpone reports whether a file is probably half saved, and has it looked at again soon.
func (l *loop) postpone(f *file, now fileState, h hint) bool {
	gone := f.present && f.stamp.size > 0 && (!now.present || now.stamp.size == 0)
	first, waiting := l.postponed[f.name]
	if !gone || h.trust || waiting && time.Since(first) > halfSavedMax {
		delete(l.postponed, f.name)
		return false
	}
	f.old = false // it was gone: from here on its contents tell
	if !waiting {
		l.postponed[f.name] = time.Now()
	}
	if l.postponedTick == nil {
		l.postponedTick = time.After(halfSaved)
	}
	return true
}

// lookAtPostponed looks again at the files that looked half saved, and believes it now.
func (l *loop) lookAtPostponed(ctx context.Context) {
	l.postponedTick = nil
	l.postponedLooks++
	out := findings{at: time.Now()}
	hints := make(map[string]hint, len(l.postponed))
	for name, first := range l.postponed {
		hints[name] = hint{op: fsnotify.Write, trust: true}
		if first.Before(out.at) {
			out.at = first
		}
	}
	clear(l.postponed)
	if len(hints) == 0 || l.check(ctx, hints, &out) != nil {
		return
	}
	l.outputs(out.paths)
	l.publish(out)
}
