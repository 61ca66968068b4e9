package watch

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/devguard/devguard/supervisor/paths"
)

// dirKind says why a directory is watched.
type dirKind uint8

const (
	listed   dirKind = 1 << iota // its files may be of the graph or of a hook
	walked                       // found by a walk
	chained                      // something beneath it, or one name in it, counts
	fallback                     // the nearest that exists above one that does not
	gitDir
	cookieDir // of the watcher's own file, see cookies
)

// dir is a directory under one name of those it may have.
type dir struct {
	path  string
	kind  dirKind
	watch *watch // nil while it does not exist, or cannot be watched
	mtime int64  // of its last listing; 0: list it again
	epoch int    // of the walk that saw it last
}

// watch is one watch of the kernel. Two names of one directory share it,
// because the kernel has one watch for each inode.
type watch struct {
	id   fileID
	path string // as given to fsnotify: no symbolic link in it
	dirs map[string]*dir
}

// tree is the set of watched directories. It belongs to the loop.
type tree struct {
	source *source // nil: no events, but directories are still tracked
	dirs   map[string]*dir
	byID   map[fileID]*watch
	byPath map[string]*watch

	// via leads from a path whose change concerns others to these: from a
	// symbolic link, or a missing directory, to what is reached through it.
	via map[string]map[string]struct{}

	// upset are directories whose watch was set anew, by the way, when another
	// one was: what happened in them before that must be looked for.
	upset    map[string]struct{}
	renewing bool // renew is at work; its caller looks at all it returns

	refused error // the first watch that the system refused
}

func newTree() *tree {
	return &tree{
		dirs:   map[string]*dir{},
		byID:   map[fileID]*watch{},
		byPath: map[string]*watch{},
		via:    map[string]map[string]struct{}{},
		upset:  map[string]struct{}{},
	}
}

// count returns how many directories are watched for the sake of a plan.
func (t *tree) count() int {
	n := 0
	for _, d := range t.dirs {
		if d.kind != cookieDir {
			n++
		}
	}
	return n
}

// want watches a directory for one more reason.
func (t *tree) want(path string, kind dirKind) *dir {
	d := t.dirs[path]
	known := d != nil
	if !known {
		d = &dir{path: path}
		t.dirs[path] = d
	}
	d.kind |= kind
	if d.watch == nil { // new, missing, or just about to be watched anew
		t.attach(d)
		if known && d.watch != nil && !t.renewing {
			t.upset[path] = struct{}{}
		}
	}
	return d
}

// drop forgets a directory.
func (t *tree) drop(d *dir) {
	t.detach(d)
	delete(t.dirs, d.path)
}

// maxAttach bounds how often a directory that is being exchanged under us is
// tried again at once; each exchange also makes an event that leads back here.
const maxAttach = 5

// attach sets the watch of a directory, or, while that does not exist, of what
// must change for it to appear.
func (t *tree) attach(d *dir) {
	for range maxAttach {
		t.detach(d)
		links, real, missing := trace(d.path)
		for _, l := range links {
			t.lead(l, d.path, chained)
		}
		if missing != "" {
			t.lead(missing, d.path, fallback)
			if _, err := os.Lstat(missing); err != nil {
				return
			}
			continue // it has appeared before its parent was watched
		}
		if t.add(d, real) {
			return
		}
	}
}

// lead makes changes of path count as changes of whatever to names.
func (t *tree) lead(path, to string, kind dirKind) {
	if t.via[path] == nil {
		t.via[path] = map[string]struct{}{}
	}
	t.via[path][to] = struct{}{}
	if parent := filepath.Dir(path); parent != to && parent != path {
		t.want(parent, kind)
	}
}

// add watches the directory real for d. It reports false when something else is
// there than was before.
func (t *tree) add(d *dir, real string) bool {
	info, err := os.Stat(real)
	if err != nil {
		return false
	}
	if !info.IsDir() { // a file in its place: the parent's watch tells when it goes
		t.lead(real, d.path, fallback)
		return true
	}
	id := stampOf(real, info).id
	orphans := t.stale(real, id)
	w := t.byID[id]
	if w == nil {
		if err := t.listen(real); err != nil {
			return !errors.Is(err, fs.ErrNotExist)
		}
		w = &watch{id: id, path: real, dirs: map[string]*dir{}}
		t.byID[id], t.byPath[real] = w, w
	}
	w.dirs[d.path] = d
	d.watch = w
	for _, o := range orphans {
		if o != d && o.watch == nil {
			t.attach(o)
		}
	}
	return isID(real, id)
}

// stale ends the watches that stand in the way of one of the directory real:
// of another one that had its name, or, since inode numbers are used again, of
// one that had its number. It returns those who had them.
func (t *tree) stale(real string, id fileID) (orphans []*dir) {
	drop := func(w *watch) {
		for _, d := range w.dirs {
			orphans = append(orphans, d)
			t.upset[d.path] = struct{}{}
		}
		t.unwatch(w)
	}
	if w := t.byPath[real]; w != nil && w.id != id {
		drop(w)
	}
	if w := t.byID[id]; w != nil && w.path != real && !isID(w.path, id) {
		drop(w)
	}
	return orphans
}

func isID(path string, id fileID) bool {
	info, err := os.Stat(path)
	return err == nil && stampOf(path, info).id == id
}

func (t *tree) listen(path string) error {
	if t.source == nil {
		return nil
	}
	err := t.source.add(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && t.refused == nil {
		t.refused = err
	}
	return err
}

// detach takes a directory off its watch, which ends with its last name.
func (t *tree) detach(d *dir) {
	w := d.watch
	d.watch, d.mtime = nil, 0
	if w == nil {
		return
	}
	delete(w.dirs, d.path)
	if len(w.dirs) == 0 {
		t.unwatch(w)
	}
}

// unwatch ends a watch. Whoever had it is without one, until attached again.
func (t *tree) unwatch(w *watch) {
	for _, d := range w.dirs {
		d.watch, d.mtime = nil, 0
	}
	if t.byID[w.id] == w {
		delete(t.byID, w.id)
	}
	if t.byPath[w.path] == w {
		delete(t.byPath, w.path)
		if t.source != nil {
			t.source.remove(w.path) // it may be gone already: the kernel ends watches of what is deleted
		}
	}
}

// renew sets the watches of directories that were touched, and of all beneath
// them, anew; it returns them. The old watches go first, all of them: fsnotify
// would otherwise take a directory that was renamed for the one it knew, and
// lose both.
func (t *tree) renew(touched map[string]struct{}) []*dir {
	t.renewing = true
	defer func() { t.renewing = false }()
	affected := map[string]*dir{}
	for path, d := range t.dirs {
		if within(path, touched) {
			affected[path] = d
			if d.watch != nil {
				maps.Copy(affected, d.watch.dirs)
			}
		}
	}
	for _, d := range affected {
		if d.watch != nil {
			t.unwatch(d.watch)
		}
	}
	out := make([]*dir, 0, len(affected))
	for _, d := range affected {
		if d.watch == nil { // not yet, for another's sake: a watch set twice drops the events between
			t.attach(d)
		}
		out = append(out, d)
	}
	t.prune()
	return out
}

// reach adds to touched directories those that are reached through them by
// symbolic links, and returns the files that are.
func (t *tree) reach(touched map[string]struct{}) (files []string) {
	for more := true; more; {
		more = false
		for path, tos := range t.via {
			if !within(path, touched) {
				continue
			}
			for to := range tos {
				if _, ok := touched[to]; ok {
					continue
				}
				if t.dirs[to] != nil {
					touched[to] = struct{}{}
					more = true
				}
			}
		}
	}
	for path, tos := range t.via {
		if !within(path, touched) {
			continue
		}
		for to := range tos {
			if t.dirs[to] == nil {
				files = append(files, to)
			}
		}
	}
	return files
}

// prune forgets walked directories that are gone, and the fallbacks that
// nothing needs any more.
func (t *tree) prune() {
	needed := map[string]bool{}
	for _, d := range t.dirs {
		if d.watch != nil {
			continue
		}
		_, _, missing := trace(d.path)
		switch {
		case missing == "": // refused
		case d.kind&^fallback == walked:
			delete(t.dirs, d.path)
		default:
			needed[filepath.Dir(missing)] = true
		}
	}
	for path, d := range t.dirs {
		if d.kind&fallback == 0 || needed[path] {
			continue
		}
		if d.kind &^= fallback; d.kind == 0 {
			t.drop(d)
		}
	}
}

// adopt makes want the set of directories watched for another reason than a
// walk.
func (t *tree) adopt(want map[string]dirKind) {
	t.via = map[string]map[string]struct{}{}
	for path, d := range t.dirs {
		d.kind = d.kind&(walked|fallback|cookieDir) | want[path]
		if d.kind&^fallback == 0 {
			t.drop(d)
		}
	}
	for path, kind := range want {
		if d := t.dirs[path]; d != nil {
			d.kind |= kind
			if d.watch == nil {
				t.attach(d)
			} else {
				t.retrace(d)
			}
			continue
		}
		t.want(path, kind)
	}
	for path, d := range t.dirs {
		if _, ok := want[path]; !ok && d.kind&walked != 0 {
			t.retrace(d)
		}
	}
	t.prune()
}

// retrace notes again by which links a directory is reached.
func (t *tree) retrace(d *dir) {
	if d.watch.isPath(d.path) {
		return
	}
	links, _, _ := trace(d.path)
	for _, l := range links {
		t.lead(l, d.path, chained)
	}
}

func (w *watch) isPath(path string) bool { return w != nil && w.path == path }

// dead returns the directories of some kinds whose watch the kernel has ended without an
// event (an unmount), or that are not what is now under their name.
func (t *tree) dead(kinds dirKind) map[string]struct{} {
	out := map[string]struct{}{}
	alive := map[string]bool{}
	if t.source != nil {
		for _, path := range t.source.list() {
			alive[path] = true
		}
	}
	for path, d := range t.dirs {
		if d.kind&(kinds|chained|gitDir) == 0 {
			continue
		}
		info, err := os.Stat(path)
		switch {
		case d.watch == nil:
			if err == nil && info.IsDir() && t.refused == nil {
				out[path] = struct{}{}
			}
		case err != nil || stampOf(d.watch.path, info).id != d.watch.id || t.source != nil && !alive[d.watch.path]:
			out[path] = struct{}{}
		}
	}
	return out
}

// names returns the paths, as the plan names them, that an event may be about.
func (t *tree) names(event string) []string {
	var out []string
	if w := t.byPath[event]; w != nil {
		for path := range w.dirs {
			out = append(out, path)
		}
	}
	parent, base := filepath.Split(event)
	if w := t.byPath[filepath.Clean(parent)]; w != nil {
		for path := range w.dirs {
			out = append(out, filepath.Join(path, base))
		}
	}
	return out
}

// changedSince reports whether a directory must be listed again, given that
// its listing begins at now.
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

// within reports whether path or a directory above it is in the set.
func within(path string, set map[string]struct{}) bool {
	for up := range paths.Up(path) {
		if _, ok := set[up]; ok {
			return true
		}
	}
	return false
}
