package change

import (
	"slices"
	"time"
)

// The debounce: how long a burst of changes is given to end. Measured (docs/latency.md): in every
// editor one save is over within 2.3 ms of its first event; the largest gap in a git checkout of
// 5,000 files is 6.3 ms; a formatter's second write comes within 11 ms, and cancels the build that
// the first one started.
const (
	quietFew  = 3 * time.Millisecond   // after the last write of one or two files
	quietMany = 25 * time.Millisecond  // of three or more, or while git holds its lock
	longest   = 250 * time.Millisecond // of the whole burst, whatever follows its first event
	many      = 3                      // distinct files
)

// Burst debounces: it is a run of changes that is not over yet. The zero Burst is none. Methods
// return a new value.
type Burst struct {
	first, last time.Time
	names       []string // distinct, no more than many
	locked      bool     // git held its lock
}

// Add returns the burst with the changes of names at now.
func (b Burst) Add(names []string, now time.Time, gitLock bool) Burst {
	if b.first.IsZero() {
		b.first = now
	}
	b.last = now
	b.locked = b.locked || gitLock
	b.names = b.names[:len(b.names):len(b.names)]
	for _, n := range names {
		if len(b.names) < many && !slices.Contains(b.names, n) {
			b.names = append(b.names, n)
		}
	}
	return b
}

// Deadline returns when the burst is over unless more comes; zero when there is none.
func (b Burst) Deadline() time.Time {
	if b.first.IsZero() {
		return time.Time{}
	}
	quiet := quietFew
	if b.locked || len(b.names) >= many {
		quiet = quietMany
	}
	d := b.last.Add(quiet)
	if limit := b.first.Add(longest); limit.Before(d) {
		return limit
	}
	return d
}

// Over reports whether there is a burst and its quiet time has passed.
func (b Burst) Over(now time.Time) bool {
	return !b.first.IsZero() && !now.Before(b.Deadline())
}
