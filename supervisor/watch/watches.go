package watch

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// watch is one inotify watch. The kernel has one for each inode, so two names of one directory
// share it.
type watch struct {
	id   fileID
	path string // as fsnotify has it: no symbolic link in it
	dirs []*dir // one for each name that the plan has for it, nearly always a single one
}

func (w *watch) isPath(path string) bool { return w != nil && w.path == path }

// maxAttach bounds how often the watch of a directory is tried again at once while that is being
// exchanged. Each exchange also makes an event, which leads here again.
const maxAttach = 5

// attach watches a directory; while it does not exist, the nearest one above it, where it will
// appear.
func (s *dirSet) attach(d *dir) {
	for range maxAttach {
		s.detach(d)
		w := trace(d.path)
		s.leads(w, d.path)
		if w.missing == "" && !s.add(d, w.real) {
			continue
		}
		if w.real == d.path && w.missing == "" || w.same(trace(d.path)) {
			return // nothing was exchanged before it was watched
		}
	}
}

// leads makes a change of anything on the way to what to leads to count as a change of to. It
// reports whether some of it was not watched before.
func (s *dirSet) leads(w way, to string) (anew bool) {
	for _, path := range w.links {
		anew = s.lead(path, to, chained) || anew
	}
	for _, path := range w.passed {
		anew = s.lead(path, to, chained) || anew
	}
	if w.missing != "" {
		anew = s.lead(w.missing, to, fallback) || anew
	}
	return anew
}

// lead makes a change of path count as a change of to, and watches the directory that path is in.
// It reports whether that was not watched before.
func (s *dirSet) lead(path, to string, kind dirKind) (anew bool) {
	if s.via[path] == nil {
		s.via[path] = map[string]struct{}{}
	}
	s.via[path][to] = struct{}{}
	parent := filepath.Dir(path)
	if parent == to || parent == path {
		return false
	}
	d := s.byName[parent]
	anew = d == nil || d.watch == nil
	return s.want(parent, kind).watch != nil && anew
}

// add watches the directory real for d. It returns false when that was exchanged meanwhile.
func (s *dirSet) add(d *dir, real string) bool {
	info, err := os.Stat(real)
	if err != nil {
		return false
	}
	if !info.IsDir() { // a file in its place: the watch of its parent tells when it goes
		s.lead(real, d.path, fallback)
		return true
	}
	id := stampOf(real, info).id
	orphans := s.stale(real, id)
	w := s.byID[id]
	if w == nil {
		if err := s.listen(real); err != nil {
			if errors.Is(err, fs.ErrPermission) {
				s.unreadable[d.path] = struct{}{}
			}
			return !errors.Is(err, fs.ErrNotExist)
		}
		w = &watch{id: id, path: real}
		s.byID[id], s.byPath[real] = w, w
	}
	w.dirs = append(w.dirs, d)
	d.watch = w
	for _, o := range orphans {
		if o != d && o.watch == nil {
			s.attach(o)
		}
	}
	return isID(real, id)
}

// stale ends watches that are not of the directory real any more: one that has its name, but is of
// another directory, and one that has its inode number, which the file system has given out again.
// It returns the directories that are without a watch now.
func (s *dirSet) stale(real string, id fileID) (orphans []*dir) {
	drop := func(w *watch) {
		for _, d := range w.dirs {
			orphans = append(orphans, d)
			s.rewatched[d.path] = struct{}{}
		}
		s.unwatch(w)
	}
	if w := s.byPath[real]; w != nil && w.id != id {
		drop(w)
	}
	if w := s.byID[id]; w != nil && w.path != real && !isID(w.path, id) {
		drop(w)
	}
	return orphans
}

func isID(path string, id fileID) bool {
	info, err := os.Stat(path)
	return err == nil && stampOf(path, info).id == id
}

func (s *dirSet) listen(path string) error {
	if s.source == nil {
		return readable(path)
	}
	err := s.source.add(path)
	passing := errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) // no limit of the system
	if err != nil && !passing && s.refused == nil {
		s.refused = err
	}
	return err
}

// detach takes a directory off its watch, which ends when no other name of the directory has it.
func (s *dirSet) detach(d *dir) {
	w := d.watch
	d.watch, d.mtime = nil, 0
	if w == nil {
		return
	}
	w.dirs = slices.DeleteFunc(w.dirs, func(other *dir) bool { return other == d })
	if len(w.dirs) == 0 {
		s.unwatch(w)
	}
}

// unwatch ends a watch, for all names that had it.
func (s *dirSet) unwatch(w *watch) {
	for _, d := range w.dirs {
		d.watch, d.mtime = nil, 0
	}
	if s.byID[w.id] == w {
		delete(s.byID, w.id)
	}
	if s.byPath[w.path] == w {
		delete(s.byPath, w.path)
		if s.source != nil {
			s.source.remove(w.path) // fails when the directory was deleted: the kernel has ended the watch then
		}
	}
}

// affected returns the directories that are touched: those beneath touched ones, those reached
// through them by symbolic links, and their other names, which all are added to touched. The files
// are those reached by links alone.
func (s *dirSet) affected(touched map[string]struct{}) (dirs []*dir, files []string) {
	for before := -1; before < len(touched); {
		before = len(touched)
		dirs, files = nil, s.reachedThrough(touched)
		for path, d := range s.byName {
			if !within(path, touched) {
				continue
			}
			dirs = append(dirs, d)
			if d.watch != nil && len(d.watch.dirs) > 1 {
				for _, other := range d.watch.dirs {
					touched[other.path] = struct{}{}
				}
			}
		}
	}
	return dirs, files
}

// renew sets the watches of directories anew. All old watches end before the first new one begins:
// fsnotify would otherwise take a directory that was renamed for the one that it knew under that
// name, and lose both.
func (s *dirSet) renew(dirs []*dir) {
	s.renewing = true
	defer func() { s.renewing = false }()
	for _, d := range dirs {
		if d.watch != nil {
			s.unwatch(d.watch)
		}
	}
	for _, d := range dirs {
		if d.watch == nil { // else another name of it has just been attached: a second time would drop events
			s.attach(d)
		}
	}
	s.prune()
}

// dead returns the directories of some kinds that are not watched as they should be, without an
// event that told of it: the kernel has ended the watch (an unmount), or another directory has the
// name now.
func (s *dirSet) dead(kinds dirKind) map[string]struct{} {
	out := map[string]struct{}{}
	looked := s.with(kinds | chained | gitDir)
	ended := s.ended(looked)
	for _, d := range looked {
		path := d.path
		info, err := os.Stat(path)
		switch {
		case d.watch == nil:
			if err == nil && info.IsDir() && s.refused == nil {
				out[path] = struct{}{}
			}
		case err != nil || !info.IsDir() || stampOf(d.watch.path, info).id != d.watch.id || ended[d.watch.path]:
			out[path] = struct{}{}
		}
	}
	return out
}

// ended returns which of the directories' watches, by their path, have ended.
func (s *dirSet) ended(dirs []*dir) map[string]bool {
	if s.source == nil {
		return nil
	}
	out := map[string]bool{}
	for _, d := range dirs {
		if d.watch != nil {
			out[d.watch.path] = true
		}
	}
	for _, path := range s.source.list() {
		delete(out, path)
	}
	return out
}
