package watch

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/classify"
)

// events looks at what a batch is about.
func (l *loop) events(ctx context.Context, b batch) {
	out := findings{at: b.at}
	if b.lost {
		l.lost(b.err)
		l.overflow(ctx, &out)
		l.publish(out)
		l.swept()
		return
	}
	s := l.sort(b)
	if s.empty() {
		return // cookies, and what else is beside them
	}
	if len(s.touched) > 0 {
		l.retouch(s.touched, s.hints)
	}
	l.fresh(s, &out)
	if l.check(ctx, s.hints, &out) != nil {
		return // closing
	}
	if s.rules {
		l.gitRules()
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

// lost says that events are missing.
func (l *loop) lost(err error) {
	if err != nil {
		l.note(change.Note{Warn: true, Msg: "reading file events failed: " + err.Error(), Hint: "if edits are not seen, set watch.poll to an interval"})
		return
	}
	l.notes = append(l.notes, change.Note{
		Msg:  "more file events than the kernel keeps: looked at all watched files instead",
		Hint: overflowHint,
	})
}

// sorted are the paths of a batch by what they are to us.
type sorted struct {
	touched map[string]struct{}    // directories, perhaps exchanged
	hints   map[string]hint        // files to look at
	unknown map[string]fsnotify.Op // not seen before
	git     bool                   // git's state may be another
	rules   bool                   // what git ignores may be another
}

func (s *sorted) empty() bool {
	return len(s.touched)+len(s.hints)+len(s.unknown) == 0 && !s.git && !s.rules
}

func (l *loop) sort(b batch) sorted {
	s := sorted{touched: map[string]struct{}{}, hints: map[string]hint{}, unknown: map[string]fsnotify.Op{}}
	for event, op := range b.names {
		for _, path := range l.tree.names(event) {
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
	for to := range l.tree.via[path] {
		if l.tree.dirs[to] != nil {
			s.touched[to] = struct{}{}
		} else if l.files[to] != nil {
			s.hints[to] = hint{op: op}
		}
	}
	s.rules = s.rules || filepath.Base(path) == ".gitignore"
	d := l.tree.dirs[path]
	switch {
	case d != nil && d.kind == gitDir && op == fsnotify.Chmod:
	case d != nil:
		s.touched[path] = struct{}{}
	case l.inGitDir(path):
		s.git = s.git || gitName(filepath.Base(path))
	case l.files[path] != nil:
		s.hints[path] = hint{op: op}
	default:
		s.unknown[path] |= op
	}
}

func (l *loop) inGitDir(path string) bool {
	return l.plan.GitDir != "" && filepath.Dir(path) == filepath.Clean(l.plan.GitDir)
}

// retouch watches directories anew that were touched, and has everything in
// them looked at: what happened between the old watch and the new one was not
// told.
func (l *loop) retouch(touched map[string]struct{}, hints map[string]hint) {
	for _, name := range l.tree.reach(touched) {
		hints[name] = hint{op: fsnotify.Write}
	}
	for _, d := range l.tree.renew(touched) {
		touched[d.path] = struct{}{} // the other names of an exchanged directory too
	}
	for name := range l.files {
		if within(name, touched) {
			hints[name] = hint{op: fsnotify.Write}
		}
	}
	for _, name := range l.plan.known() {
		if within(name, touched) {
			hints[name] = hint{op: fsnotify.Write}
		}
	}
	l.listTouched(touched, hints)
	l.limits()
}

func (l *loop) listTouched(touched map[string]struct{}, hints map[string]hint) {
	now := time.Now()
	for path, d := range l.tree.dirs {
		if !within(path, touched) {
			continue
		}
		if d.kind&(listed|walked) != 0 {
			l.list(d, now, hints)
		}
		if parent := l.tree.dirs[filepath.Dir(path)]; parent != nil && d.watch != nil {
			l.enter(parent, path, now, hints) // it may have been awaited for another reason only
		}
	}
}

// list has the files of a directory looked at that are not known yet, and
// those directories beneath it that may hold files of the graph or of hooks.
func (l *loop) list(d *dir, now time.Time, hints map[string]hint) {
	d.changedSince(now) // its mtime before the listing
	entries, err := os.ReadDir(d.path)
	if err != nil {
		d.mtime = 0
		return
	}
	for _, e := range entries {
		path := filepath.Join(d.path, e.Name())
		if f := l.files[path]; f != nil && f.present {
			continue
		}
		leads := e.IsDir() || e.Type()&os.ModeSymlink != 0 && isDir(path)
		switch {
		case leads && !l.circular(path):
			l.enter(d, path, now, hints)
		case leads:
		case counts(l.plan.Rules.Classify(path)):
			hints[path] = hint{op: fsnotify.Create}
		case d.kind&walked != 0 && l.wanted(path):
			l.ask(path)
		}
	}
}

// circular reports whether a directory is one of those above it, reached again
// through a symbolic link.
func (l *loop) circular(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return true
	}
	id := stampOf(path, info).id
	for up := filepath.Dir(path); up != filepath.Dir(up); up = filepath.Dir(up) {
		if d := l.tree.dirs[up]; d != nil && d.watch != nil && d.watch.id == id {
			return true
		}
	}
	return false
}

// enter goes on with a directory found in another one.
func (l *loop) enter(parent *dir, path string, now time.Time, hints map[string]hint) {
	known := l.tree.dirs[path]
	if l.plan.Rules.Holds(path) && (known == nil || known.kind&listed == 0) && l.room(path) {
		l.list(l.tree.want(path, listed), now, hints)
	}
	if parent.kind&walked != 0 && (known == nil || known.kind&walked == 0) && !classify.SkipDir(filepath.Base(path)) {
		l.ask(path)
	}
}

// fresh sorts out paths that are not known: files that count join the hints,
// directories are entered, git is asked about the rest.
func (l *loop) fresh(s sorted, out *findings) {
	now := time.Now()
	l.orphaned(s)
	for path, op := range s.unknown {
		info, err := os.Stat(path)
		if err == nil && info.IsDir() {
			if parent := l.tree.dirs[filepath.Dir(path)]; parent != nil && !l.circular(path) {
				l.enter(parent, path, now, s.hints)
			}
			continue
		}
		c := l.plan.Rules.Classify(path)
		switch {
		case counts(c):
			s.hints[path] = hint{op: op}
		case c.Runtime:
			if err == nil {
				l.ask(path)
			}
		default:
			out.ignored = append(out.ignored, change.Path{Name: path, Op: opName(op), Class: c})
		}
	}
}

// orphaned has the files looked at that were known under a directory that is not
// watched any more, or not yet: an adoption may have found them just before it
// was moved away.
func (l *loop) orphaned(s sorted) {
	gone := map[string]struct{}{}
	for path, op := range s.unknown {
		if op.Has(fsnotify.Remove) || op.Has(fsnotify.Rename) {
			gone[path] = struct{}{}
		}
	}
	if len(gone) == 0 {
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

// overflow looks at everything, because events are missing. It trusts no watch
// either: the end of one may be among what is missing.
func (l *loop) overflow(ctx context.Context, out *findings) {
	all := make(map[string]struct{}, len(l.tree.dirs))
	for path := range l.tree.dirs {
		all[path] = struct{}{}
	}
	hints := map[string]hint{}
	l.retouch(all, hints)
	l.checkAll(ctx, true, hints, out)
}
