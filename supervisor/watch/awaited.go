package watch

import (
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/devguard/devguard/supervisor/classify"
)

// await has all watched that tells when a symbolic link that dangles leads to something. A file may
// come there, or a directory, and nothing happens to the link itself then.
func (s *dirSet) await(path string) {
	s.awaited[path] = struct{}{}
	for range maxAttach {
		w := trace(path)
		s.leads(w, path)
		again := trace(path)
		if again.missing == "" {
			s.arrive(path)
			return
		}
		if again.same(w) {
			return // nothing was exchanged before it was watched for
		}
	}
}

// arrive has loop.meet look at what a name leads to now.
func (s *dirSet) arrive(path string) {
	delete(s.awaited, path)
	s.arrived[path] = struct{}{}
}

// awaitAgain looks whether links that were awaited lead somewhere now, without an event.
func (s *dirSet) awaitAgain() {
	for path := range s.awaited {
		switch placeOf(path) {
		case aFile, aDirectory:
			s.arrive(path)
		case nothing:
			delete(s.awaited, path)
		}
	}
}

// expects reports whether a file or directory that a link in another directory leads to would count.
func (l *loop) expects(parent *dir, path string) bool {
	switch {
	case l.plan.Rules.Holds(path) || counts(l.plan.Rules.Classify(path)):
		return true
	case parent == nil || parent.kind&walked == 0:
		return false
	}
	return !classify.SkipDir(filepath.Base(path)) && !l.plan.Rules.Excludes(path)
}

// meet looks at names that lead to something else now. All that they lead to is new, however old it
// is.
func (l *loop) meet(hints map[string]hint) {
	g := listing{now: time.Now(), hints: hints, event: true}
	arrived := l.dirs.arrived
	l.dirs.arrived = map[string]struct{}{}
	for path := range arrived {
		l.appeared(path, fsnotify.Create, g)
	}
}

// appeared goes on with a path that is not known: a directory is entered, a file that counts is
// looked at, about one that an include glob names git is asked, and what a link leads to is awaited.
func (l *loop) appeared(path string, op fsnotify.Op, g listing) place {
	delete(l.dirs.awaited, path)
	is := placeOf(path)
	parent := l.dirs.byName[filepath.Dir(path)]
	switch {
	case is == nowhere && l.expects(parent, path):
		l.dirs.await(path)
	case is == aDirectory && parent != nil && !l.circular(path):
		l.enter(parent, path, g)
	}
	c := l.plan.Rules.Classify(path)
	switch {
	case is == aDirectory:
	case counts(c):
		g.hints[path] = hint{op: op}
	case c.Sought() && is == aFile:
		l.newPath(path)
	}
	return is
}
