package change

import (
	"cmp"
	"slices"
	"time"

	"github.com/devguard/devguard/supervisor/classify"
)

// Set is what changed since the Set before it.
type Set struct {
	Snapshot

	At      time.Time // when the first event of this set was received
	Paths   []Path    // changed in content, created or removed; sorted by name
	Ignored []Path    // events that ask for nothing, the reason in Class.Reason; bounded, for the log
	Notes   []Note    // what a person should know: overflow, limits, a switch to polling
}

// Op says what happened to a path, in fsnotify's words.
type Op string

// The operations, as a difference between two states of a path.
const (
	Create Op = "create"
	Write  Op = "write"
	Remove Op = "remove"
	Chmod  Op = "chmod" // same bytes: touch, chmod, identical rewrite
)

// Path is one changed file.
type Path struct {
	Name  string // absolute
	Op    Op
	Class classify.Class
}

// Note is a message of the watcher for the log.
type Note struct {
	Warn bool
	Msg  string // what happened
	Hint string // what to do next; may be empty
}

// maxIgnored bounds the ignored paths that one Set carries.
const maxIgnored = 64

// Merge returns the set that stands for s and, after it, next. Neither is changed.
func (s Set) Merge(next Set) Set {
	out := next
	if next.Version < s.Version {
		out.Snapshot = s.Snapshot
	}
	if out.At.IsZero() || !s.At.IsZero() && s.At.Before(out.At) {
		out.At = s.At
	}
	out.Notes = append(slices.Clip(s.Notes), next.Notes...)
	out.Paths = mergePaths(s.Paths, next.Paths)
	out.Ignored = mergePaths(s.Ignored, next.Ignored)
	if len(out.Ignored) > maxIgnored {
		out.Ignored = out.Ignored[:maxIgnored]
	}
	return out
}

// mergePaths unites two lists of changes, the second being the later one.
func mergePaths(a, b []Path) []Path {
	if len(a) == 0 || len(b) == 0 {
		return append(slices.Clip(a), b...)
	}
	at := make(map[string]int, len(a)+len(b))
	out := make([]Path, 0, len(a)+len(b))
	for _, p := range a {
		at[p.Name] = len(out)
		out = append(out, p)
	}
	for _, p := range b {
		i, ok := at[p.Name]
		if !ok {
			out = append(out, p)
			continue
		}
		p.Op = p.Op.after(out[i].Op)
		out[i] = p
	}
	SortPaths(out)
	return out
}

// after returns the operation that stands for first and, after it, op.
func (op Op) after(first Op) Op {
	switch {
	case first == Create && op != Remove:
		return Create
	case first == Remove && op != Remove:
		return Write
	case op == Chmod:
		return first
	}
	return op
}

// SortPaths sorts by name.
func SortPaths(paths []Path) {
	slices.SortFunc(paths, func(a, b Path) int { return cmp.Compare(a.Name, b.Name) })
}
