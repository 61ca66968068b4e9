package watch

import (
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/devguard/devguard/supervisor/classify"
)

// rewatch sets the watches of directories that were touched anew, and has all that is in them
// looked at: between the end of the old watch and the beginning of the new one nobody was
// listening.
func (l *loop) rewatch(touched map[string]struct{}, hints map[string]hint) {
	dirs, files := l.dirs.affected(touched)
	for _, name := range files {
		if _, ok := l.dirs.awaited[name]; ok {
			l.dirs.await(name)
		}
		hints[name] = hint{op: fsnotify.Write}
	}
	l.dirs.renew(dirs)
	if l.knownIn(touched) {
		l.lookWithin(touched, hints)
	}
	for _, name := range l.plan.known() {
		if within(name, touched) {
			hints[name] = hint{op: fsnotify.Write}
		}
	}
	l.listRewatched(touched, hints)
	l.meet(hints)
	l.limits()
}

// lookWithin has all known files in touched directories looked at.
func (l *loop) lookWithin(touched map[string]struct{}, hints map[string]hint) {
	for name, f := range l.files {
		if within(name, touched) {
			f.old = false // from here on its contents tell
			hints[name] = hint{op: fsnotify.Write}
		}
	}
}

func (l *loop) listRewatched(touched map[string]struct{}, hints map[string]hint) {
	g := listing{now: time.Now(), hints: hints, event: true}
	for path, d := range l.dirs.byName {
		if !within(path, touched) {
			continue
		}
		if d.kind&(listed|walked) != 0 {
			l.list(d, g)
		}
		if is := placeOf(path); d.watch == nil && (is == aFile || is == nowhere) {
			l.appeared(path, fsnotify.Create, g) // a file has taken its place, or may do so
		}
		if parent := l.dirs.byName[filepath.Dir(path)]; parent != nil && d.watch != nil {
			l.enter(parent, path, g) // now that it is there, it may hold more than it was awaited for
		}
	}
}

// listing is one look at what is in directories.
type listing struct {
	now   time.Time
	hints map[string]hint // files to look at are added here
	event bool            // an event told that they have changed; else they are listed to be sure
}

// list has the files of a directory looked at that are not known yet, and enters the directories in
// it.
func (l *loop) list(d *dir, g listing) {
	d.changedSince(g.now) // takes its mtime, before the listing
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
		is := placeOfEntry(e, path)
		switch {
		case is == aDirectory && !l.circular(path):
			l.enter(d, path, g)
		case is == aDirectory:
		case is == nowhere:
			if l.expects(d, path) {
				l.dirs.await(path)
			}
		case counts(l.plan.Rules.Classify(path)):
			g.hints[path] = hint{op: fsnotify.Create}
		case d.kind&walked != 0 && l.wanted(path):
			l.newIn(d, path, g)
		}
	}
}

// enter goes on with a directory found in another one, if it may hold files of the graph or of
// hooks, or files that include globs match.
func (l *loop) enter(parent *dir, path string, g listing) {
	known := l.dirs.byName[path]
	if l.plan.Rules.Holds(path) && (known == nil || known.kind&listed == 0) && l.room(path) {
		l.list(l.dirs.want(path, listed), g)
	}
	if parent.kind&walked != 0 && (known == nil || known.kind&walked == 0) && !classify.SkipDir(filepath.Base(path)) {
		l.newIn(parent, path, g)
	}
}

// newIn has a path in a directory walked as new. One that no event told of may only be new to us, as
// long as the walk from the roots has not come to it: then the directory is listed again later.
func (l *loop) newIn(d *dir, path string, g listing) {
	if !g.event && l.walking() {
		d.mtime = 0
		return
	}
	l.newPath(path)
}

// circular reports whether a directory is one of those above it, reached again through a symbolic
// link.
func (l *loop) circular(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return true
	}
	id := stampOf(path, info).id
	for up := filepath.Dir(path); up != filepath.Dir(up); up = filepath.Dir(up) {
		if d := l.dirs.byName[up]; d != nil && d.watch != nil && d.watch.id == id {
			return true
		}
	}
	return false
}
