package watch

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/classify"
	"github.com/devguard/devguard/supervisor/paths"
)

// maxDirs bounds how many directories are searched for files that globs match.
// It is the smallest max_user_watches that Linux has had as its default.
const maxDirs = 8192

// walks is the part of the loop's state about work in the background: a walk
// looks for the files that include globs match, an adoption asks git about
// paths that events told of and takes them in. They do not wait for each other.
type walks struct {
	wg       sync.WaitGroup
	cancel   context.CancelFunc // of the walk that runs; nil if none
	due      *walk              // to start when that has ended
	epoch    int                // of the newest walk
	walkDone int                // epoch of the last walk that was not cut short

	asked              []string // for the next adoption
	adoptions, adopted int      // how many have begun, and ended; they run one by one
}

// walk is one search. It runs beside the loop and owns nothing of it.
type walk struct {
	roots []string
	rules *classify.Rules
	git   *ignorer
	read  reader
	since time.Time // files changed after it are changes, others are only found
	epoch int
	fresh bool // everything found is new
	limit int
	dirs  map[string]int // walked, by the directory below the root
	count int
	full  bool // the limit was reached
}

// walkAgain starts a walk from the roots, or, if one runs, ends that first.
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
		limit: maxDirs, dirs: map[string]int{},
	}
}

// walking reports whether files that include globs match may be there and not be found yet. A sweep
// of the directories would take these for new.
func (l *loop) walking() bool { return l.cancel != nil || l.due != nil }

// wanted reports whether a file is one that git must be asked about.
func (l *loop) wanted(path string) bool { return l.plan.Rules.Classify(path).Runtime }

// ask has git asked about a path, which is taken in unless git ignores it.
func (l *loop) ask(path string) { l.asked = append(l.asked, path) }

// gitRules starts a new walk after a file changed that says what git ignores.
func (l *loop) gitRules() {
	if len(l.plan.Walk) > 0 && l.ignore.ask == nil {
		l.walkAgain(time.Now())
	}
}

// startWalks starts what is due.
func (l *loop) startWalks(ctx context.Context) {
	if l.due != nil && l.cancel == nil {
		w := l.due
		l.due = nil
		var walkCtx context.Context
		walkCtx, l.cancel = context.WithCancel(ctx)
		l.walks.wg.Go(func() {
			w.run(walkCtx, l.w)
			l.w.ask(ctx, func(l *loop) error { l.walked(walkCtx, w); return nil })
		})
	}
	if len(l.asked) > 0 && l.adopted == l.adoptions {
		w := l.newWalk(time.Time{})
		w.roots, w.fresh, w.epoch = l.asked, true, l.epoch
		l.asked = nil
		l.adoptions++
		l.walks.wg.Go(func() {
			w.run(ctx, l.w)
			l.w.ask(ctx, func(l *loop) error { l.adopted++; l.full(w); return nil })
		})
	}
}

func (l *loop) stopWalks() {
	if l.cancel != nil {
		l.cancel()
	}
	l.walks.wg.Wait()
}

// walked ends a walk. What it did not see any more, because git ignores it now
// or the rules have changed, is forgotten; that is no change of contents.
func (l *loop) walked(ctx context.Context, w *walk) {
	done := ctx.Err() == nil
	l.cancel()
	l.cancel = nil
	if !done || l.due != nil {
		return
	}
	l.walkDone = w.epoch
	for name, f := range l.files {
		if onlyRuntime(f.class) && f.epoch < w.epoch {
			delete(l.files, name)
		}
	}
	for _, d := range l.tree.dirs {
		if d.kind&walked == 0 || d.epoch >= w.epoch {
			continue
		}
		if d.kind &^= walked; d.kind == 0 {
			l.tree.drop(d)
		}
	}
	l.full(w)
	l.limits()
	l.publish(findings{at: time.Now()})
}

// full says that a walk has reached its limit, and where the directories are.
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

// run walks breadth first, so that the limit cuts off what is deepest.
func (w *walk) run(ctx context.Context, to *Watcher) {
	level, files := w.start(ctx)
	w.adopt(ctx, to, files)
	for len(level) > 0 && ctx.Err() == nil {
		next, files := w.level(ctx, to, level)
		w.adopt(ctx, to, w.visible(ctx, files, len(files)))
		level = w.visible(ctx, next, w.limit-w.count+1) // one more tells that there are more
	}
}

// questionSize is how many paths git is asked about at one go: it starts in about
// 3 ms, and takes about as long for that many.
const questionSize = 2048

// visible returns the first n of the paths that git does not ignore.
func (w *walk) visible(ctx context.Context, paths []string, n int) []string {
	var out []string
	for part := range slices.Chunk(paths, questionSize) {
		began := time.Now()
		ignored := w.git.ignored(ctx, part)
		out = append(out, slices.DeleteFunc(slices.Clone(part), func(path string) bool { return ignored[path] })...)
		if len(out) >= n || ctx.Err() != nil {
			break
		}
		if len(part) == questionSize { // a small tree is done without pauses
			w.rest(ctx, time.Since(began))
		}
	}
	return out[:min(n, len(out))]
}

// start sorts the roots into directories and files. The roots of a walk are
// searched whatever git says of them; those of an adoption were found.
func (w *walk) start(ctx context.Context) (dirs, files []string) {
	roots := w.roots
	if w.fresh {
		ignored := w.git.ignored(ctx, roots)
		roots = slices.DeleteFunc(slices.Clone(roots), func(p string) bool { return ignored[p] })
	}
	for _, r := range roots {
		info, err := os.Stat(r)
		switch {
		case err != nil:
		case info.IsDir():
			dirs = append(dirs, r)
		default:
			files = append(files, r)
		}
	}
	return dirs, files
}

// chunk is how many directories are watched at one go, so that the loop is not
// kept from a save for longer than that takes: some 0.5 ms.
const chunk = 64

// level watches and then lists directories; it returns what it found in them.
func (w *walk) level(ctx context.Context, to *Watcher, dirs []string) (next, files []string) {
	for part := range slices.Chunk(dirs, chunk) {
		began := time.Now()
		if room := w.limit - w.count; len(part) > room {
			part, w.full = part[:room], true
		}
		w.count += len(part)
		if to.ask(ctx, func(l *loop) error { part = l.watchWalked(part, w); return nil }) != nil {
			return nil, nil
		}
		for _, d := range part {
			w.dirs[w.below(d)]++
			n, f := w.list(d)
			next, files = append(next, n...), append(files, f...)
		}
		if w.full {
			return nil, files
		}
		if len(part) == chunk {
			w.rest(ctx, time.Since(began))
		}
	}
	return next, files
}

// rest leaves the machine to the first build for a while: at full speed the walk
// of 8,192 directories made a start on two processors a third slower. What was
// found while others wait for it goes on at once.
func (w *walk) rest(ctx context.Context, worked time.Duration) {
	if w.fresh {
		return
	}
	select {
	case <-time.After(4 * worked):
	case <-ctx.Done():
	}
}

// watchWalked watches directories for a walk; it returns those to search.
func (l *loop) watchWalked(dirs []string, w *walk) []string {
	var out []string
	for _, path := range dirs {
		if l.circular(path) {
			continue
		}
		d := l.tree.want(path, walked)
		d.epoch = max(d.epoch, w.epoch) // an adoption may be older than the walk that has been here
		out = append(out, path)
	}
	l.limits()
	return out
}

func (w *walk) list(dir string) (dirs, files []string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil // gone again, or not ours to read
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if e.IsDir() || e.Type()&os.ModeSymlink != 0 && isDir(path) {
			if !classify.SkipDir(e.Name()) && !moduleCache(path) && !w.rules.Excludes(path) {
				dirs = append(dirs, path)
			}
			continue
		}
		if c := w.rules.Classify(path); c.Runtime {
			files = append(files, path)
		}
	}
	return dirs, files
}

// moduleCache reports whether a directory is $GOPATH/pkg/mod, which some keep
// inside the tree.
func moduleCache(dir string) bool {
	return filepath.Base(dir) == "mod" && filepath.Base(filepath.Dir(dir)) == "pkg" && isDir(filepath.Join(dir, "cache", "download"))
}

// below names the directory right beneath a root that dir is in.
func (w *walk) below(dir string) string {
	for _, r := range w.roots {
		if dir == r || !paths.Within(dir, r) {
			continue
		}
		for filepath.Dir(dir) != r {
			dir = filepath.Dir(dir)
		}
		return dir
	}
	return dir
}

// adopt reads files and hands them to the loop.
func (w *walk) adopt(ctx context.Context, to *Watcher, paths []string) {
	for part := range slices.Chunk(paths, chunk) {
		work := make([]glance, len(part))
		for i, path := range part {
			work[i] = glance{name: path, class: w.rules.Classify(path)}
		}
		looks := w.read.lookAll(ctx, work)
		if ctx.Err() != nil || to.ask(ctx, func(l *loop) error { l.found(ctx, w, work, looks); return nil }) != nil {
			return
		}
	}
}

// found takes in what a walk read. A file that is known already is looked at
// again, since what the walk has seen of it may be the older state.
func (l *loop) found(ctx context.Context, w *walk, work []glance, looks []look) {
	if w.epoch != l.epoch && !w.fresh {
		return // its successor walks again
	}
	out := findings{at: time.Now()}
	again := map[string]hint{}
	for i, g := range work {
		f := l.files[g.name]
		switch {
		case f != nil:
			f.epoch = max(f.epoch, w.epoch)
			if w.fresh {
				again[g.name] = hint{trust: true}
			}
		case counts(l.plan.Rules.Classify(g.name)): // of the graph since the walk began
			again[g.name] = hint{trust: true}
		case looks[i].present:
			l.foundNew(ctx, w, glance{g.name, g.class, looks[i]}, &out)
		}
	}
	if l.check(ctx, again, &out) == nil && len(out.paths) > 0 {
		l.publish(out)
	}
}

// foundNew takes in a file not known yet. Events about it were of no interest
// until now, so it is compared with the disk once more.
func (l *loop) foundNew(ctx context.Context, w *walk, g glance, out *findings) {
	now := l.reader().look(ctx, g)
	c := l.plan.Rules.Classify(g.name)
	if !now.present || c.Ignored() || ctx.Err() != nil {
		return
	}
	f := &file{name: g.name, class: c, look: now, epoch: w.epoch}
	l.files[g.name] = f
	if now.link {
		l.follow(g.name)
	}
	l.sums.put(f)
	if w.fresh || now.stamp.after(w.since) {
		l.sums.shift(f, look{}, now)
		out.paths = append(out.paths, change.Path{Name: g.name, Op: change.Create, Class: c})
	}
	if parent := filepath.Dir(g.name); l.tree.dirs[parent] == nil {
		l.ask(parent) // it was exchanged meanwhile
	}
}
