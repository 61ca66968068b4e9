package watch

import (
	"os"
	"path/filepath"
	"time"

	"github.com/devguard/devguard/supervisor/paths"
)

// dirKind says why a directory is watched.
type dirKind uint8

const (
	listed    dirKind = 1 << iota // its files may be of the graph or of a hook: it is listed
	walked                        // the search for include globs came through it
	chained                       // some one name in it counts: a file, or a directory on the way to others
	fallback                      // the nearest that exists above a directory that does not
	gitDir                        // where git keeps the state of a rebase, merge or bisect
	cookieDir                     // where the watcher's own file is, see cookies
)

// dir is a directory under one of its names; symbolic links give it others.
type dir struct {
	path  string
	kind  dirKind
	watch *watch // nil while the directory does not exist, or cannot be watched
	mtime int64  // its own when it was last listed; 0: list it again
	epoch int    // of the last walk that came through it
}

// dirSet is the set of watched directories. It belongs to the loop.
type dirSet struct {
	source *source           // nil: no events, but directories are still tracked
	byName map[string]*dir   // as the plan names them
	byID   map[fileID]*watch // the watches, by the directory itself
	byPath map[string]*watch // and by its path without symbolic links

	// via leads from a path to the files and directories that its change concerns: from a symbolic
	// link, or from the missing part of a path, to all that is reached through it.
	via map[string]map[string]struct{}

	// rewatched are directories whose watch had to be set anew while another one was: what happened
	// in them before that is still to be looked for.
	rewatched map[string]struct{}
	renewing  bool // renew is at work: its caller looks at all directories that it returns

	// awaited are the symbolic links that dangle and whose targets would count. arrived are those of
	// them that lead somewhere now, and files that are directories now, until loop.meet sees them.
	awaited, arrived map[string]struct{}

	refused error // of the first watch that the system refused; nil if none

	// unreadable are directories that this user may not read, which loop.leaveOut has not seen yet.
	unreadable map[string]struct{}
}

func newDirSet() *dirSet {
	return &dirSet{
		byName:    map[string]*dir{},
		byID:      map[fileID]*watch{},
		byPath:    map[string]*watch{},
		via:       map[string]map[string]struct{}{},
		rewatched: map[string]struct{}{},
		awaited:   map[string]struct{}{},
		arrived:   map[string]struct{}{},

		unreadable: map[string]struct{}{},
	}
}

// count returns how many directories are watched for the plan.
func (s *dirSet) count() int {
	n := 0
	for _, d := range s.byName {
		if d.kind != cookieDir {
			n++
		}
	}
	return n
}

// want watches a directory for one more reason.
func (s *dirSet) want(path string, kind dirKind) *dir {
	d := s.byName[path]
	known := d != nil
	if !known {
		d = &dir{path: path}
		s.byName[path] = d
	}
	d.kind |= kind
	if d.watch == nil { // new, missing, or just about to be watched anew
		s.attach(d)
		if known && d.watch != nil && !s.renewing {
			s.rewatched[path] = struct{}{}
		}
	}
	return d
}

// with returns the directories of a kind, in a list of its own: more may come while they are listed.
func (s *dirSet) with(kind dirKind) []*dir {
	var out []*dir
	for _, d := range s.byName {
		if d.kind&kind != 0 {
			out = append(out, d)
		}
	}
	return out
}

// drop forgets a directory.
func (s *dirSet) drop(d *dir) {
	s.detach(d)
	delete(s.byName, d.path)
}

// setWanted makes want the directories that are watched, beside those of walks. No watch that is
// still needed ends meanwhile: nobody would hear what happens then.
func (s *dirSet) setWanted(want map[string]dirKind) {
	s.via = map[string]map[string]struct{}{}
	for path, d := range s.byName {
		d.kind = d.kind&(walked|fallback|cookieDir) | want[path]
	}
	for _, d := range s.with(^(fallback | cookieDir)) {
		s.retrace(d)
	}
	for path, kind := range want {
		if d := s.byName[path]; d != nil {
			d.kind |= kind // it may have come as the parent of another one
		} else {
			s.want(path, kind)
		}
	}
	for path := range s.awaited {
		if d := s.byName[filepath.Dir(path)]; d != nil && d.kind != 0 {
			s.await(path)
		} else {
			delete(s.awaited, path)
		}
	}
	s.prune()
	for _, d := range s.byName {
		if d.kind == 0 {
			s.drop(d)
		}
	}
}

// retrace notes again through what a directory is reached, or what it waits for.
func (s *dirSet) retrace(d *dir) {
	switch {
	case d.watch == nil:
		if s.attach(d); d.watch != nil {
			s.rewatched[d.path] = struct{}{}
		}
	case !d.watch.isPath(d.path):
		w := trace(d.path)
		if s.leads(w, d.path); d.watch == nil || !isID(w.real, d.watch.id) {
			s.rewatched[d.path] = struct{}{}
		}
	}
}

// prune forgets directories that walks have found and that are gone, and fallbacks that nothing
// missing needs any more. Of a directory that was reached through a symbolic link the link may have
// stayed: then it is awaited.
func (s *dirSet) prune() {
	for _, d := range s.with(walked) {
		if d.watch != nil || d.kind&^fallback != walked || trace(d.path).missing == "" {
			continue
		}
		delete(s.byName, d.path)
		if placeOf(d.path) != nothing { // a link that dangles, or something has come this instant
			s.await(d.path)
		}
	}
	s.awaitAgain()
	needed := s.neededFallbacks()
	for path, d := range s.byName {
		if d.kind&fallback == 0 || needed[path] {
			continue
		}
		if d.kind &^= fallback; d.kind == 0 {
			s.drop(d)
		}
	}
}

// neededFallbacks returns the directories in which something may come that is waited for. What is
// there by now does not matter: the events that tell of it may not have been read yet.
func (s *dirSet) neededFallbacks() map[string]bool {
	needed := map[string]bool{}
	for path, tos := range s.via {
		for to := range tos {
			_, awaited := s.awaited[to]
			if d := s.byName[to]; awaited || d != nil && d.watch == nil {
				needed[filepath.Dir(path)] = true
				break
			}
		}
	}
	return needed
}

// reachedThrough adds to touched the directories that are reached through touched ones by symbolic
// links, and returns the files that are.
func (s *dirSet) reachedThrough(touched map[string]struct{}) (files []string) {
	for more := true; more; {
		more = false
		for path, tos := range s.via {
			if !within(path, touched) {
				continue
			}
			for to := range tos {
				if _, ok := touched[to]; ok {
					continue
				}
				if s.byName[to] != nil {
					touched[to] = struct{}{}
					more = true
				}
			}
		}
	}
	for path, tos := range s.via {
		if !within(path, touched) {
			continue
		}
		for to := range tos {
			if s.byName[to] == nil {
				files = append(files, to)
			}
		}
	}
	return files
}

// names returns the paths, as the plan names them, that an event may be about: a watched directory
// itself, or a name in one.
func (s *dirSet) names(event string) []string {
	var out []string
	if w := s.byPath[event]; w != nil {
		for _, d := range w.dirs {
			out = append(out, d.path)
		}
	}
	parent, base := filepath.Split(event)
	if w := s.byPath[filepath.Clean(parent)]; w != nil {
		for _, d := range w.dirs {
			out = append(out, filepath.Join(d.path, base))
		}
	}
	return out
}

// changedSince reports whether the directory has changed since it was last listed, so that it must
// be listed again; the caller does that at once, at now. That a directory was changed shows in its
// mtime: files that come and go move it, files that are written do not.
func (d *dir) changedSince(now time.Time) bool {
	info, err := os.Stat(d.path)
	if err != nil {
		return false
	}
	s := stampOf(d.path, info)
	if s.mtime == d.mtime {
		return false
	}
	d.mtime = s.mtime
	if s.racy(now) {
		d.mtime = 0
	}
	return true
}

// within reports whether path, or a directory above it, is in the set.
func within(path string, set map[string]struct{}) bool {
	for up := range paths.Up(path) {
		if _, ok := set[up]; ok {
			return true
		}
	}
	return false
}
