package watch

import (
	"time"

	"github.com/devguard/devguard/supervisor/change"
)

// snapshot returns the state as it is known now, with the next Version.
func (l *loop) snapshot() change.Snapshot {
	s := change.Snapshot{
		Seq:     l.seq,
		Headers: l.headers, Unlisted: l.unlisted,
		Source:  l.sums.source.Digest(),
		Shape:   l.sums.shape.Digest(),
		Runtime: l.sums.runtime.Digest(),
		Styles:  l.sums.styles.Digest(),
		Scripts: l.sums.scripts.Digest(),
		Env:     l.sums.env.Digest(),
		Config:  l.sums.config.Digest(),
		GitBusy: l.git.busy,
		GitLock: l.git.lock,
	}
	s.Hooks = make([]change.HookState, len(l.hooks))
	for i := range s.Hooks {
		s.Hooks[i] = change.HookState{Watch: l.sums.hooks[i].Digest(), Missing: l.hooks[i].Missing}
	}
	l.version++
	s.Version = l.version
	l.last = s
	return s
}

// publish returns the state, and sends it with what was found to the reader, unless there is
// nothing to tell.
func (l *loop) publish(f findings) change.Snapshot {
	before := l.last
	snap := l.snapshot()
	set := change.Set{
		Snapshot: snap, At: f.at, Paths: f.paths, Ignored: l.unreported(f.ignored, time.Now()), Notes: l.notes,
	}
	if len(set.Paths)+len(set.Ignored)+len(set.Notes) == 0 && before.SameState(snap) && !f.asked {
		return snap
	}
	l.notes = nil
	change.SortPaths(set.Paths)
	change.SortPaths(set.Ignored)
	select {
	case l.posts <- set:
	case <-l.w.ctx.Done():
	}
	return snap
}

// findings are what a look at files has brought.
type findings struct {
	at      time.Time // of the first event, or of the look
	paths   []change.Path
	ignored []change.Path
	asked   bool      // the reader is to hear of the state also when there is nothing to tell
	found   time.Time // the latest change of files that are new to the plan, not to the tree
}

// find takes into account that something new to the plan last changed at a time, in ns since 1970.
func (f *findings) find(changed int64) {
	if t := time.Unix(0, changed).Add(kernelTick); t.After(f.found) {
		f.found = t
	}
}

// How soon one ignored path is named again, and how many are remembered. An app that writes its log
// into a package directory must not wake the reader with each line.
const (
	reportAgain = 5 * time.Second
	maxReported = 1024
)

// unreported returns the ignored paths that were not named lately, as many as a set has room for.
func (l *loop) unreported(paths []change.Path, now time.Time) []change.Path {
	var out []change.Path
	for _, p := range paths {
		if t, ok := l.reported[p.Name]; ok && now.Sub(t) < reportAgain {
			continue
		}
		if len(l.reported) >= maxReported {
			clear(l.reported)
		}
		l.reported[p.Name] = now
		out = append(out, p)
		if len(out) == maxIgnored {
			break
		}
	}
	return out
}

// maxIgnored bounds the ignored paths of one set.
const maxIgnored = 32
