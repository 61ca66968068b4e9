package watch

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/devguard/devguard/supervisor/classify"
	"github.com/devguard/devguard/supervisor/paths"
)

// maxDirs bounds how many directories are searched for files that include globs match. It is the
// smallest default that Linux has had for max_user_watches.
const maxDirs = 8192

// walk is one search for files that include globs match: from the roots of a plan, or (fresh) of
// new paths that events told of. It runs beside the loop, and owns nothing of it.
type walk struct {
	roots []string
	rules *classify.Rules
	git   *ignorer
	read  reader
	since time.Time      // a file that changed later is a change, any other was there before
	epoch int            // grows with each walk from the roots
	fresh bool           // of new paths: everything in them is a change
	limit int            // of directories
	dirs  map[string]int // how many were walked, by the directory right beneath a root
	count int            // how many were walked
	full  bool           // the limit was reached

	came map[string]struct{} // directories that have come to their place since
}

// run walks breadth first, so that the limit cuts off what is deepest.
func (w *walk) run(ctx context.Context, to *Watcher) {
	level, files := w.start(ctx, to)
	w.handOver(ctx, to, files)
	for len(level) > 0 && ctx.Err() == nil {
		next, files := w.level(ctx, to, level)
		w.handOver(ctx, to, w.visible(ctx, to, files, len(files)))
		level = w.visible(ctx, to, next, w.limit-w.count+1) // one more tells that there are more
	}
}

// questionSize is how many paths git is asked about at once: it takes some 3 ms to start, and as
// long again for that many.
const questionSize = 2048

// visible returns the paths that git does not ignore, or that watch.include names each by itself,
// the first n of them.
func (w *walk) visible(ctx context.Context, to *Watcher, paths []string, n int) []string {
	var out []string
	for part := range slices.Chunk(paths, questionSize) {
		began := time.Now()
		ignored := w.ignored(ctx, to, part)
		out = append(out, slices.DeleteFunc(slices.Clone(part), func(path string) bool { return ignored[path] && !w.rules.Named(path) })...)
		if len(out) >= n || ctx.Err() != nil {
			break
		}
		if len(part) == questionSize { // a small tree is done without pauses
			w.rest(ctx, time.Since(began))
		}
	}
	return out[:min(n, len(out))]
}

// ignored returns those of the paths that git ignores, and has the loop tell why git said nothing.
func (w *walk) ignored(ctx context.Context, to *Watcher, paths []string) map[string]bool {
	a := w.git.ignored(ctx, paths)
	if len(a.silent) > 0 || a.again {
		_ = to.ask(ctx, func(l *loop) error { l.gitSaid(a); return nil }) // fails when nobody listens any more
	}
	return a.ignored
}

// start sorts the roots into directories and files. The roots of a plan are searched even if git
// ignores them; new paths are not.
func (w *walk) start(ctx context.Context, to *Watcher) (dirs, files []string) {
	roots := w.roots
	if w.fresh {
		ignored := w.ignored(ctx, to, roots)
		roots = slices.DeleteFunc(slices.Clone(roots), func(p string) bool { return ignored[p] && !w.rules.Named(p) })
	}
	for _, r := range roots {
		switch placeOf(r) {
		case aDirectory, nowhere:
			if !w.fresh || w.enters(r) {
				dirs = append(dirs, r)
			}
		case aFile:
			files = append(files, r)
		}
	}
	return dirs, files
}

// chunk is how many directories are watched at once. It keeps the loop from a save for some 0.5 ms.
const chunk = 64

// level watches directories and then lists them, and returns what is in them.
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
			if w.cameSince(d) {
				w.came[d] = struct{}{}
			}
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

// rest leaves the machine to the first build for a while: at full speed, a walk of 8,192
// directories made a start on two processors a third slower. A walk of new paths does not rest,
// because a restart waits for it.
func (w *walk) rest(ctx context.Context, worked time.Duration) {
	if w.fresh {
		return
	}
	select {
	case <-time.After(4 * worked):
	case <-ctx.Done():
	}
}

// cameSince reports whether a directory has come to its place since the walk was asked for: then the
// files in it are new, however old they are. A directory that was moved shows it in its ctime; one in
// which a name has come or gone has that time as its mtime, too.
func (w *walk) cameSince(dir string) bool {
	if w.fresh {
		return false // everything is new
	}
	since := func(path string) bool {
		info, err := os.Lstat(path)
		if err != nil {
			return false
		}
		s := stampOf(path, info)
		return s.after(w.since) && (s.ctime > s.mtime+int64(kernelTick) || info.Mode()&fs.ModeSymlink != 0)
	}
	if info, err := os.Lstat(dir); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		return since(dir)
	}
	way := trace(dir)
	return slices.ContainsFunc(way.links, since) || slices.ContainsFunc(way.passed, since)
}

func (w *walk) list(dir string) (dirs, files []string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil // gone again, or not ours to read
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if is := placeOfEntry(e, path); is == aDirectory || is == nowhere {
			if w.enters(path) {
				dirs = append(dirs, path)
			}
			continue
		}
		if c := w.rules.Classify(path); c.Sought() {
			files = append(files, path)
		}
	}
	return dirs, files
}

// enters reports whether a directory that was met is searched.
func (w *walk) enters(dir string) bool {
	return !classify.SkipDir(filepath.Base(dir)) && !moduleCache(dir) && !w.rules.Excludes(dir) && w.rules.Seeks(dir)
}

// moduleCache reports whether a directory is $GOPATH/pkg/mod, which some keep inside the tree.
func moduleCache(dir string) bool {
	return filepath.Base(dir) == "mod" && filepath.Base(filepath.Dir(dir)) == "pkg" && isDir(filepath.Join(dir, "cache", "download"))
}

// below returns the directory right beneath a root that dir is in.
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

// handOver reads files and gives them to the loop.
func (w *walk) handOver(ctx context.Context, to *Watcher, paths []string) {
	for part := range slices.Chunk(paths, chunk) {
		work := make([]target, len(part))
		for i, path := range part {
			work[i] = target{name: path, class: w.rules.Classify(path)}
		}
		looks := w.read.lookAll(ctx, work)
		if ctx.Err() != nil || to.ask(ctx, func(l *loop) error { l.found(ctx, w, work, looks); return nil }) != nil {
			return
		}
	}
}
