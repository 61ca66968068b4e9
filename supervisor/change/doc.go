// Package change says what changed in the tree, of what kind it is, and when a
// burst of changes is over. It is pure: no I/O, no clock, no goroutines.
//
// The watcher describes the tree by level, not by edge: a Snapshot holds a
// Digest of everything a decision depends on, so two snapshots with equal
// digests ask for no work whatever happened in between (contents decide, not
// events). A Set adds what a person wants to read: which paths, and why others
// were ignored.
package change
