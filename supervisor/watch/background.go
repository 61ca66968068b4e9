package watch

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/devguard/devguard/supervisor/change"
)

// background is the part of the loop's state about walks: at most one from the roots of the plan,
// and beside it at most one of new paths, which git must be asked about.
type background struct {
	wg       sync.WaitGroup
	cancel   context.CancelFunc // of the walk from the roots that runs; nil if none does
	due      *walk              // to start when that has ended
	epoch    int                // of the newest walk from the roots
	walkDone int                // epoch of the last one that came to its end

	newPaths               []string // for the next walk of new paths
	newWalks, newWalksDone int      // how many of these have begun, and ended
}

// walkAgain has the roots walked: now, or when the walk that runs has ended, which is cut short.
func (l *loop) walkAgain(since time.Time) {
	l.epoch++
	w := l.newWalk(since)
	w.epoch = l.epoch
	for _, dir := range l.plan.Walk {
		w.roots = append(w.roots, filepath.Clean(dir))
	}
	l.due = w
	if l.cancel != nil {
		l.cancel()
	}
}

func (l *loop) newWalk(since time.Time) *walk {
	return &walk{
		rules: l.plan.Rules, git: l.ignore, read: l.reader(), since: since,
		limit: maxDirs, dirs: map[string]int{}, came: map[string]struct{}{},
	}
}

// walking reports whether a walk from the roots is not at its end. A sweep of directories would
// then take files for new that the walk has not come to.
func (l *loop) walking() bool { return l.cancel != nil || l.due != nil }

// wanted reports whether an include glob names the file, so that git must be asked about it.
func (l *loop) wanted(path string) bool { return l.plan.Rules.Classify(path).Sought() }

// newPath has a path walked: unless git ignores it, all in it that include globs name is new.
func (l *loop) newPath(path string) { l.newPaths = append(l.newPaths, path) }

// gitignoreChanged walks again, because git may ignore other files now.
func (l *loop) gitignoreChanged() {
	if len(l.plan.Walk) > 0 && l.ignore.ask == nil {
		l.walkAgain(time.Now())
	}
}

// gitSaid tells why git gives no answer, and walks again once it gives one: what was taken in
// meanwhile it may ignore.
func (l *loop) gitSaid(a answer) {
	for _, n := range a.silent {
		l.note(n)
	}
	if a.again {
		l.gitignoreChanged()
	}
	l.publish(findings{at: time.Now()})
}

// startWalks starts the walks that are due.
func (l *loop) startWalks(ctx context.Context) {
	if l.due != nil && l.cancel == nil {
		w := l.due
		l.due = nil
		var walkCtx context.Context
		walkCtx, l.cancel = context.WithCancel(ctx)
		l.background.wg.Go(func() {
			w.run(walkCtx, l.w)
			l.w.ask(ctx, func(l *loop) error { l.walked(walkCtx, w); return nil })
		})
	}
	if len(l.newPaths) > 0 && l.newWalksDone == l.newWalks {
		w := l.newWalk(time.Time{})
		w.roots, w.fresh, w.epoch = l.newPaths, true, l.epoch
		l.newPaths = nil
		l.newWalks++
		l.background.wg.Go(func() {
			w.run(ctx, l.w)
			l.w.ask(ctx, func(l *loop) error { l.newWalksDone++; l.full(w); return nil })
		})
	}
}

func (l *loop) stopWalks() {
	if l.cancel != nil {
		l.cancel()
	}
	l.background.wg.Wait()
}

// walked ends a walk from the roots. Files and directories that it has not met, because git ignores
// them now or the rules have changed, are forgotten; that is no change of contents.
func (l *loop) walked(ctx context.Context, w *walk) {
	done := ctx.Err() == nil
	l.cancel()
	l.cancel = nil
	if !done || l.due != nil {
		return
	}
	l.walkDone = w.epoch
	for _, f := range l.files {
		if onlySought(f.class) && f.epoch < w.epoch {
			l.forget(f)
		}
	}
	for _, d := range l.dirs.byName {
		if d.kind&walked == 0 || d.epoch >= w.epoch {
			continue
		}
		if d.kind &^= walked; d.kind == 0 {
			l.dirs.drop(d)
		}
	}
	l.full(w)
	l.limits()
	l.publish(findings{at: time.Now()})
}

// full says that a walk has reached its limit, and where most directories are.
func (l *loop) full(w *walk) {
	if !w.full {
		return
	}
	type part struct {
		dir string
		n   int
	}
	var parts []part
	for dir, n := range w.dirs {
		parts = append(parts, part{dir, n})
	}
	slices.SortFunc(parts, func(a, b part) int { return cmp.Or(b.n-a.n, cmp.Compare(a.dir, b.dir)) })
	var text strings.Builder
	for i, p := range parts[:min(3, len(parts))] {
		if i > 0 {
			text.WriteString(", ")
		}
		text.WriteString(fmt.Sprintf("%s (%d)", p.dir, p.n))
	}
	l.note(change.Note{
		Warn: true,
		Msg:  fmt.Sprintf("looked for watch.include in %d directories and stopped; most are in %s", w.limit, text.String()),
		Hint: "exclude them with watch.exclude or .gitignore, or name narrower directories in watch.include; Go code is not concerned",
	})
}

// watchWalked watches directories for a walk, and returns those to list.
func (l *loop) watchWalked(dirs []string, w *walk) []string {
	var out []string
	for _, path := range dirs {
		is := placeOf(path)
		_, awaited := l.dirs.awaited[path]
		switch {
		case is == nowhere:
			l.dirs.await(path)
			continue
		case is == aFile || awaited: // it led nowhere before, so all in it is new
			l.dirs.arrive(path)
			continue
		case is == nothing || l.circular(path):
			continue
		}
		d := l.dirs.want(path, walked)
		d.epoch = max(d.epoch, w.epoch) // a walk of new paths may be older than the last one that was here
		out = append(out, path)
	}
	l.limits()
	return out
}

// found takes in the files that a walk has read. One that is known already is looked at again: what
// the walk has read may be older.
func (l *loop) found(ctx context.Context, w *walk, work []target, looks []fileState) {
	if w.epoch != l.epoch && !w.fresh {
		return // the next walk will find them too
	}
	out := findings{at: time.Now()}
	again := map[string]hint{}
	for i, g := range work {
		f := l.files[g.name]
		switch {
		case f != nil:
			f.epoch = max(f.epoch, w.epoch)
			if w.fresh {
				l.foundOld(f, &out)
				again[g.name] = hint{trust: true}
			}
		case counts(l.plan.Rules.Classify(g.name)): // a new plan has it in the graph now
			again[g.name] = hint{trust: true}
		case looks[i].present:
			l.foundNew(ctx, w, target{g.name, g.class, looks[i]}, &out)
		}
	}
	if l.check(ctx, again, &out) == nil && len(out.paths) > 0 {
		l.publish(out)
	}
}

// foundOld tells of a file that is new, though a walk may have taken it for old.
func (l *loop) foundOld(f *file, out *findings) {
	if !f.old || !f.present {
		return
	}
	f.old = false
	l.sums.shift(f, fileState{}, f.fileState)
	out.paths = append(out.paths, change.Path{Name: f.name, Op: change.Create, Class: f.class})
}

// tellOld tells of the files in directories that are new.
func (l *loop) tellOld(dirs map[string]struct{}, out *findings) {
	if !l.knownIn(dirs) {
		return
	}
	for name, f := range l.files {
		if f.old && within(name, dirs) {
			l.foundOld(f, out)
		}
	}
}

// foundNew takes in a file that is not known yet. It is read once more: it may have changed since
// the walk has read it, and events about it counted for nothing.
func (l *loop) foundNew(ctx context.Context, w *walk, g target, out *findings) {
	now := l.reader().look(ctx, g)
	c := l.plan.Rules.Classify(g.name)
	if !now.present || c.Ignored() || ctx.Err() != nil {
		return
	}
	f := &file{name: g.name, class: c, fileState: now, epoch: w.epoch}
	l.know(f)
	if now.link {
		l.follow(g.name)
	}
	l.sums.put(f)
	f.old = true
	if w.fresh || now.stamp.after(w.since) || within(g.name, w.came) {
		l.foundOld(f, out)
	}
	if parent := filepath.Dir(g.name); l.dirs.byName[parent] == nil {
		l.newPath(parent) // its directory was exchanged meanwhile, so nobody watches it
	}
}
