package watch

import (
	"context"

	"github.com/devguard/devguard/supervisor/change"
)

// overflow looks at all files, because events are missing: the kernel's queue has overflowed
// (inotify's IN_Q_OVERFLOW, fsnotify.ErrEventOverflow), or reading it has failed. No watch is trusted
// either, because the event that told of its end may be among the missing ones.
func (l *loop) overflow(ctx context.Context, b batch) {
	if b.err != nil {
		l.note(change.Note{
			Warn: true,
			Msg:  "reading file events failed: " + b.err.Error(),
			Hint: "if edits are not seen, set watch.poll to an interval",
		})
	} else {
		l.notes = append(l.notes, change.Note{ // each time
			Msg:  "more file events than the kernel keeps: looked at all watched files instead",
			Hint: overflowHint,
		})
	}
	all := make(map[string]struct{}, len(l.dirs.byName))
	for path := range l.dirs.byName {
		all[path] = struct{}{}
	}
	out := findings{at: b.at}
	hints := map[string]hint{}
	l.rewatch(all, hints)
	if l.checkAll(ctx, true, hints, &out) != nil {
		return // closing
	}
	l.publish(out)
	l.swept()
}
