package watch

import (
	"context"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/classify"
)

// file is a file whose contents count.
type file struct {
	look
	name  string
	class classify.Class
	epoch int // of the walk that saw it last
}

// sums are the digests of a snapshot, kept up to date file by file.
type sums struct {
	base                                string
	source, shape, runtime, env, config change.Sum
	hooks                               []change.Sum
}

// put counts a file in, take counts it out. The sum of runtime files is left to
// shift: it is of changes, not of files.
func (s *sums) put(f *file)  { s.each(f, (*change.Sum).Add) }
func (s *sums) take(f *file) { s.each(f, (*change.Sum).Remove) }

func (s *sums) each(f *file, do func(*change.Sum, string, change.Digest)) {
	if !f.present {
		return
	}
	c := f.class
	if c.Source {
		do(&s.source, f.name, f.sum)
	}
	if c.Role != 0 {
		do(&s.shape, f.name, f.head)
	}
	if c.Env {
		do(&s.env, f.name, f.sum)
	}
	if c.Config {
		do(&s.config, f.name, f.sum)
	}
	for _, i := range c.Hooks { // told across runs, and across moves of the checkout
		do(&s.hooks[i], slashRel(s.base, f.name), f.sum)
	}
}

// shift takes the change of a runtime file from one state to another into the
// sum.
func (s *sums) shift(f *file, from, to look) {
	if !f.class.Runtime {
		return
	}
	if from.present {
		s.runtime.Remove(f.name, from.sum)
	}
	if to.present {
		s.runtime.Add(f.name, to.sum)
	}
}

// hint is why a file is looked at.
type hint struct {
	op    fsnotify.Op // 0: no event, a sweep
	trust bool        // what is found is believed even if the file is empty or gone
	found bool        // a file not known yet was there before: to find it is no change
}

// check looks at files and takes over what they have become. Files that are not
// known are tracked from now on if their class asks for it.
func (l *loop) check(ctx context.Context, hints map[string]hint, f *findings) error {
	work := make([]glance, 0, len(hints))
	for name := range hints {
		if g, ok := l.glance(name); ok {
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

func (l *loop) reader() reader { return reader{header: l.plan.Header} }

// glance returns what to look for under a name; false if it is of no interest.
func (l *loop) glance(name string) (glance, bool) {
	if f := l.files[name]; f != nil {
		return glance{name, f.class, f.look}, true
	}
	c := l.plan.Rules.Classify(name)
	return glance{name: name, class: c}, counts(c) && !l.isCookie(name)
}

// counts reports whether a file of that class is tracked as soon as it is seen.
// Files that only the app reads are tracked when git was asked about them.
func counts(c classify.Class) bool {
	return c.Role != 0 || c.Env || c.Config || len(c.Hooks) > 0
}

// settle decides what a look means.
func (l *loop) settle(g glance, now look, h hint, out *findings) {
	f := l.files[g.name]
	h.found = h.found && f == nil
	if f == nil {
		if !now.present {
			return
		}
		f = &file{name: g.name, class: g.class}
		l.files[g.name] = f
	}
	if l.postpone(f, now, h) {
		return
	}
	if now.link {
		l.follow(f.name)
	}
	if now.same {
		return
	}
	l.wrote(f, now, h)
	l.become(f, now, h, out)
}

// wrote counts a write of a file of the graph. An event that is only about
// attributes is none, if the bytes are the same.
func (l *loop) wrote(f *file, now look, h hint) {
	same := now.present == f.present && now.sum == f.sum
	if f.class.Source && !h.found && !(same && (h.op == fsnotify.Chmod || !now.present || now.stamp == f.stamp)) {
		l.seq++
	}
}

// become takes over a new state of a file and tells of it.
func (l *loop) become(f *file, now look, h hint, out *findings) {
	op := opOf(f.look, now)
	if op == "" {
		f.look = now
		return
	}
	if f.class.Role != 0 && f.head != now.head && !h.found {
		l.headers++
	}
	l.sums.take(f)
	l.sums.shift(f, f.look, now)
	f.look = now
	if op != change.Chmod && f.class.Role != 0 && l.plan.Rules.Graph.Files[f.name] == 0 {
		l.reclassify(f) // a file the graph does not know: its constraint may have been edited
	}
	l.sums.put(f)
	if !now.present && !now.link { // a link that dangles is kept for what it leads to
		delete(l.files, f.name)
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

func opOf(from, to look) change.Op {
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

// reclassify asks again what a file is. It must not be counted in meanwhile.
func (l *loop) reclassify(f *file) {
	c := l.plan.Rules.Classify(f.name)
	if !counts(c) || goSource(c.Role) != goSource(f.class.Role) {
		return // it would need another kind of look; the next listing brings that
	}
	f.class = c
}

// How long a file may be empty or gone before that is believed. Editors truncate
// and write, or rename and create, within 2.3 ms (latency.md §7); another event
// ends the wait at once, so no save is later for it.
const (
	half    = 2 * time.Millisecond
	halfMax = 10 * time.Millisecond
)

// postpone reports whether a file is probably in the middle of being saved, and
// sees to it that it is looked at again.
func (l *loop) postpone(f *file, now look, h hint) bool {
	gone := f.present && f.stamp.size > 0 && (!now.present || now.stamp.size == 0)
	first, waiting := l.later[f.name]
	if !gone || h.trust || waiting && time.Since(first) > halfMax {
		delete(l.later, f.name)
		return false
	}
	if !waiting {
		l.later[f.name] = time.Now()
	}
	if l.laterTick == nil {
		l.laterTick = time.After(half)
	}
	return true
}

// lookLater looks again at what was postponed.
func (l *loop) lookLater(ctx context.Context) {
	l.laterTick = nil
	l.laterLooks++
	out := findings{at: time.Now()}
	hints := make(map[string]hint, len(l.later))
	for name, first := range l.later {
		hints[name] = hint{op: fsnotify.Write, trust: true}
		if first.Before(out.at) {
			out.at = first
		}
	}
	clear(l.later)
	if len(hints) == 0 || l.check(ctx, hints, &out) != nil {
		return
	}
	l.outputs(out.paths)
	l.publish(out)
}

// follow watches what a symbolic link leads through.
func (l *loop) follow(name string) {
	links, real, missing := trace(name)
	for _, link := range links {
		if link != name {
			l.tree.lead(link, name, chained)
		}
	}
	if missing != "" {
		real = missing
	}
	l.tree.lead(real, name, chained)
}
