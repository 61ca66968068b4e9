package watch

import (
	"context"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/devguard/devguard/supervisor/change"
)

// events looks at what a batch of events is about, and publishes what has changed.
func (l *loop) events(ctx context.Context, b batch) {
	if b.lost {
		l.overflow(ctx, b)
		return
	}
	out := findings{at: b.at}
	s := l.sort(b)
	if s.empty() && len(l.dirs.arrived) == 0 {
		return // a cookie, or devguard's own files beside it
	}
	if len(s.touched) > 0 {
		l.tellOld(s.came, &out)
		l.rewatch(s.touched, s.hints)
	}
	l.meet(s.hints)
	l.sortUnknown(s, &out)
	if l.check(ctx, s.hints, &out) != nil {
		return // closing
	}
	if s.rules {
		l.gitignoreChanged()
	}
	if s.git || len(s.touched) > 0 {
		l.git = gitStateOf(l.plan.GitDir)
	}
	if len(s.touched) > 0 {
		l.allOutputs()
	} else {
		l.outputs(out.paths)
		l.outputs(out.ignored)
	}
	l.publish(out)
}

// sorted are the paths of a batch by what is to be done about them.
type sorted struct {
	touched map[string]struct{}    // directories with an event of their own: perhaps exchanged
	hints   map[string]hint        // files to look at
	unknown map[string]fsnotify.Op // paths not known yet
	came    map[string]struct{}    // directories that walks have met before they were told of
	git     bool                   // a rebase, merge or bisect may have begun or ended
	rules   bool                   // a .gitignore may have changed
}

func (s *sorted) empty() bool {
	return len(s.touched)+len(s.hints)+len(s.unknown) == 0 && !s.git && !s.rules
}

func (l *loop) sort(b batch) sorted {
	s := sorted{
		touched: map[string]struct{}{}, hints: map[string]hint{}, unknown: map[string]fsnotify.Op{}, came: map[string]struct{}{},
	}
	for event, op := range b.names {
		for _, path := range l.dirs.names(event) {
			l.sortPath(path, op, &s)
		}
	}
	return s
}

func (l *loop) sortPath(path string, op fsnotify.Op, s *sorted) {
	if l.ofCookies(path, op) {
		return
	}
	delete(l.suspects, path)
	for to := range l.dirs.via[path] {
		if l.dirs.byName[to] != nil {
			s.touched[to] = struct{}{}
		} else if l.files[to] != nil {
			s.hints[to] = hint{op: op}
		}
		if _, ok := l.dirs.awaited[to]; ok {
			l.dirs.await(to)
		}
	}
	s.rules = s.rules || filepath.Base(path) == ".gitignore"
	d := l.dirs.byName[path]
	switch {
	case d != nil && d.kind == gitDir && d.watch != nil && op == fsnotify.Chmod:
	case d != nil:
		s.touched[path] = struct{}{}
		if d.kind&walked != 0 && op.Has(fsnotify.Create) && !op.Has(fsnotify.Remove) && !op.Has(fsnotify.Rename) {
			l.came(path, s)
		}
	case l.inGitDir(path):
		s.git = s.git || gitName(filepath.Base(path))
	case l.files[path] != nil:
		s.hints[path] = hint{op: op}
	default:
		s.unknown[path] |= op
	}
}

// came is for a directory that a walk has met before the event that told of it: the walk may take
// what is in it for old.
func (l *loop) came(path string, s *sorted) {
	s.came[path] = struct{}{}
	if l.walking() {
		l.newPath(path) // the files that the walk is about to hand over
	}
}

func (l *loop) inGitDir(path string) bool {
	return l.plan.GitDir != "" && filepath.Dir(path) == filepath.Clean(l.plan.GitDir)
}

// sortUnknown goes on with the paths that are not known, and notes which are ignored.
func (l *loop) sortUnknown(s sorted, out *findings) {
	l.orphaned(s)
	g := listing{now: time.Now(), hints: s.hints, event: true}
	for path, op := range s.unknown {
		if l.appeared(path, op, g) == aDirectory {
			continue
		}
		if c := l.plan.Rules.Classify(path); !counts(c) && !c.Sought() {
			l.unlistedEvent(path)
			out.ignored = append(out.ignored, change.Path{Name: path, Op: opName(op), Class: c})
		}
	}
}

// orphaned looks at the files that are known beneath a path that has gone, though nobody watches
// that: it was moved away just after a walk had found it.
func (l *loop) orphaned(s sorted) {
	gone := map[string]struct{}{}
	for path, op := range s.unknown {
		if op.Has(fsnotify.Remove) || op.Has(fsnotify.Rename) {
			gone[path] = struct{}{}
		}
	}
	if !l.knownIn(gone) {
		return
	}
	for name := range l.files {
		if within(name, gone) {
			s.hints[name] = hint{op: fsnotify.Remove}
		}
	}
}

// opName says what happened to a path that is not tracked.
func opName(op fsnotify.Op) change.Op {
	switch {
	case op.Has(fsnotify.Remove), op.Has(fsnotify.Rename) && !op.Has(fsnotify.Create):
		return change.Remove
	case op.Has(fsnotify.Create):
		return change.Create
	case op.Has(fsnotify.Write):
		return change.Write
	}
	return change.Chmod
}
