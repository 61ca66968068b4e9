package watch

import (
	"context"
	"path/filepath"

	"github.com/fsnotify/fsnotify"

	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/classify"
	"github.com/devguard/devguard/supervisor/paths"
)

// file is a known file: its contents count.
type file struct {
	fileState
	name  string
	class classify.Class
	epoch int  // of the last walk that met it
	old   bool // that walk took it for one that the running app has read
}

// hint says why a file is looked at.
type hint struct {
	op    fsnotify.Op // of the event; 0 in a sweep
	trust bool        // believe that it is empty or gone: do not wait for the rest of a save
	found bool        // if it is not known yet, it is new to the plan alone, which is no change
}

// check looks at files and takes over their states. A file that is not known is known from now on
// if it counts.
func (l *loop) check(ctx context.Context, hints map[string]hint, f *findings) error {
	work := make([]target, 0, len(hints))
	for name := range hints {
		if g, ok := l.target(name); ok {
			work = append(work, g)
		}
	}
	looks := l.reader().lookAll(ctx, work)
	if err := ctx.Err(); err != nil {
		return err
	}
	for i, g := range work {
		l.settle(g, looks[i], hints[g.name], f)
	}
	return nil
}

func (l *loop) reader() reader {
	return reader{header: l.plan.Header, polled: l.tick != nil, told: l.opts.told}
}

// target returns what is to be looked at under a name; false if a file of that name does not count.
func (l *loop) target(name string) (target, bool) {
	if f := l.files[name]; f != nil {
		return target{name, f.class, f.fileState}, true
	}
	c := l.plan.Rules.Classify(name)
	return target{name: name, class: c}, counts(c) && !l.isCookie(name)
}

// counts reports whether a file of that class is known as soon as it is seen. One that only the
// running app reads is not: git is asked about it first.
func counts(c classify.Class) bool {
	return c.Role != 0 || c.Env || c.Config || len(c.Hooks) > 0
}

// know has a file known from now on.
func (l *loop) know(f *file) {
	l.files[f.name] = f
	for dir := range paths.Up(filepath.Dir(f.name)) {
		l.below[dir]++
	}
}

// forget undoes what know has done.
func (l *loop) forget(f *file) {
	delete(l.files, f.name)
	for dir := range paths.Up(filepath.Dir(f.name)) {
		if l.below[dir]--; l.below[dir] == 0 {
			delete(l.below, dir)
		}
	}
}

// knownIn reports whether any known file is one of the paths, or below one. Most events are of paths
// where there is none, such as an editor's backup that goes: then nobody looks through all files.
func (l *loop) knownIn(set map[string]struct{}) bool {
	for path := range set {
		if l.below[path] > 0 || l.files[path] != nil {
			return true
		}
	}
	return false
}

// settle takes over what a look has found, unless the file looks half saved.
func (l *loop) settle(g target, now fileState, h hint, out *findings) {
	f := l.files[g.name]
	h.found = h.found && f == nil
	if f == nil {
		if !now.present {
			if now.link {
				l.dirs.await(g.name)
			}
			l.cameAndWent(g, h)
			return
		}
		f = &file{name: g.name, class: g.class}
		l.know(f)
	}
	if l.postpone(f, now, h) {
		return
	}
	if now.link {
		l.follow(f.name)
	}
	if now.dir && !f.dir {
		l.dirs.arrive(f.name)
	}
	if now.same {
		return
	}
	l.wrote(f, now, h)
	l.become(f, now, h, out)
}

// cameAndWent counts in Headers a file of a package that was gone before it was looked at: the go
// command may have read it. The removal of a file that a sweep has seen go is told without its
// creation.
func (l *loop) cameAndWent(g target, h hint) {
	if g.class.Role != 0 && h.op.Has(fsnotify.Create) {
		l.headers++
	}
}

// unlistedEvent counts an event about a Go file that the plan does not know.
func (l *loop) unlistedEvent(path string) {
	if filepath.Ext(path) == ".go" {
		l.unlisted++
	}
}

// wrote counts a write to a file of the graph, in Seq. An event about attributes alone is none if
// the bytes are equal.
func (l *loop) wrote(f *file, now fileState, h hint) {
	same := now.present == f.present && now.sum == f.sum
	if f.class.Source && !h.found && !(same && (h.op == fsnotify.Chmod || !now.present || now.stamp == f.stamp)) {
		l.seq++
	}
}

// become takes over a new state of a file, and adds what has changed to the findings.
func (l *loop) become(f *file, now fileState, h hint, out *findings) {
	op := opOf(f.fileState, now)
	if op == "" {
		f.fileState = now
		return
	}
	if f.class.Role != 0 && f.head != now.head && !h.found {
		l.headers++
	}
	f.old = f.old && op == change.Chmod
	l.sums.take(f)
	l.sums.shift(f, f.fileState, now)
	f.fileState = now
	if op != change.Chmod && f.class.Role != 0 && l.plan.Rules.Graph.Files[f.name] == 0 {
		l.reclassify(f) // a file that the graph does not know: its build constraint may have been edited
	}
	l.sums.put(f)
	if !now.present && !now.link { // a symbolic link that dangles stays: what it leads to may come
		l.forget(f)
		if d := l.dirs.byName[filepath.Dir(f.name)]; d != nil {
			d.mtime = 0 // the directory itself may have gone, and come back unchanged
		}
	}
	p := change.Path{Name: f.name, Op: op, Class: f.class}
	switch {
	case h.found:
		out.find(now.stamp.ctime)
	case op != change.Chmod && f.class.Ignored():
		out.ignored = append(out.ignored, p)
	case op != change.Chmod:
		out.paths = append(out.paths, p)
	case h.op != 0:
		p.Class.Reason = "same bytes"
		out.ignored = append(out.ignored, p)
	}
}

func opOf(from, to fileState) change.Op {
	switch {
	case !from.present && !to.present:
		return ""
	case !from.present:
		return change.Create
	case !to.present:
		return change.Remove
	case from.sum != to.sum:
		return change.Write
	}
	return change.Chmod
}

// reclassify classifies a file again, which must not be counted in meanwhile.
func (l *loop) reclassify(f *file) {
	c := l.plan.Rules.Classify(f.name)
	if !counts(c) || hasHeader(c.Role) != hasHeader(f.class.Role) {
		return // another head would be wanted of it: the next plan sees to that
	}
	f.class = c
}

// follow watches all that a symbolic link leads through. It has the file looked at again if some of
// that was not watched: it was read before.
func (l *loop) follow(name string) {
	w := trace(name)
	if w.missing != "" {
		l.dirs.await(name)
		return
	}
	anew := l.dirs.leads(w, name)
	if l.dirs.lead(w.real, name, chained) || anew {
		l.dirs.rewatched[name] = struct{}{}
	}
}
