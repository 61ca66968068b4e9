// Package change describes the watched tree and what changed in it: Snapshot (the state of
// everything watched), Set (what changed since the last Set, for the reader and the log) and Burst
// (the debounce: when a burst of changes is over).
//
// It is pure: no I/O, no clock, no goroutines.
//
// A Snapshot holds a Digest of everything that a decision depends on, so two snapshots with equal
// digests ask for no work, whatever happened in between: contents decide, not events. Snapshots are
// compared by their methods SameContents, SameWork and SameState, and nowhere else.
package change
