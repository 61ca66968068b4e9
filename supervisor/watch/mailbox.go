package watch

import (
	"context"
	"slices"

	"github.com/devguard/devguard/supervisor/change"
)

// mailbox passes sets to the reader, the oldest first, and merges those that wait for him.
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

// stack adds a set to those that wait. A set is merged with the one before it once it has half as
// many paths: so few sets wait, and no path is merged more than a few times, however long the
// reader takes.
func stack(waiting []change.Set, s change.Set) []change.Set {
	waiting = append(waiting, s)
	for n := len(waiting); n > 1 && size(waiting[n-1]) >= size(waiting[n-2])/2; n-- {
		waiting[n-2] = waiting[n-2].Merge(waiting[n-1])
		waiting = slices.Delete(waiting, n-1, n)
	}
	return waiting
}

func size(s change.Set) int { return 1 + len(s.Paths) }
