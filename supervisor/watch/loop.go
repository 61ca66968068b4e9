package watch

import (
	"context"
	"time"

	"github.com/devguard/devguard/supervisor/change"
)

// loop owns what is known of the tree. All its methods run on one goroutine.
type loop struct {
	w    *Watcher
	opts Options

	batches <-chan batch      // nil without events
	posts   chan<- change.Set // to the mailbox

	plan   Plan
	tree   *tree
	files  map[string]*file
	sums   sums
	hooks  []change.HookState // only Missing is kept here
	git    gitState
	ignore *ignorer

	version uint64
	seq     uint64
	headers uint64
	last    change.Snapshot // the newest one made

	later      map[string]time.Time // emptied or gone just now: looked at again soon
	laterTick  <-chan time.Time
	laterLooks int                  // how often that was done
	reported   map[string]time.Time // ignored paths told lately
	notes      []change.Note        // for the next set
	told       map[string]bool      // notes that are said once

	callers []*caller // of CatchUp
	cookies cookies

	poller
	walks
}

func newLoop(w *Watcher, opts Options) *loop {
	return &loop{
		w: w, opts: opts,
		tree:     newTree(),
		files:    map[string]*file{},
		ignore:   newIgnorer(),
		later:    map[string]time.Time{},
		reported: map[string]time.Time{},
		told:     map[string]bool{},
	}
}

func (l *loop) run(ctx context.Context) {
	defer l.stopWalks()
	defer l.stopPolling()
	defer l.closeCookies()
	for {
		select {
		case f := <-l.w.asks:
			f(l)
		case b := <-l.batches:
			l.events(ctx, b)
		case <-l.laterTick:
			l.lookLater(ctx)
		case now := <-l.tick:
			l.poll(ctx, now)
		case <-ctx.Done():
			return
		}
		l.calm(ctx)
		l.serve(ctx)
		l.startWalks(ctx)
	}
}

// calm looks at the directories that were watched anew by the way.
func (l *loop) calm(ctx context.Context) {
	for range maxAttach { // what goes on after that makes events
		touched := l.tree.upset
		if len(touched) == 0 {
			return
		}
		l.tree.upset = map[string]struct{}{}
		out := findings{at: time.Now()}
		hints := map[string]hint{}
		l.retouch(touched, hints)
		if l.check(ctx, hints, &out) != nil {
			return // closing
		}
		l.allOutputs()
		l.publish(out)
	}
}

// note keeps a message for the next set. The same one is said once.
func (l *loop) note(n change.Note) {
	if !l.told[n.Msg] {
		l.told[n.Msg] = true
		l.notes = append(l.notes, n)
	}
}

// snapshot returns the state as it is known now, with a new Version if it
// differs from the last one.
func (l *loop) snapshot() change.Snapshot {
	s := change.Snapshot{
		Seq:     l.seq,
		Headers: l.headers,
		Source:  l.sums.source.Digest(),
		Shape:   l.sums.shape.Digest(),
		Runtime: l.sums.runtime.Digest(),
		Env:     l.sums.env.Digest(),
		Config:  l.sums.config.Digest(),
		GitBusy: l.git.busy,
		GitLock: l.git.lock,
	}
	s.Hooks = make([]change.HookState, len(l.hooks))
	for i := range s.Hooks {
		s.Hooks[i] = change.HookState{Watch: l.sums.hooks[i].Digest(), Missing: l.hooks[i].Missing}
	}
	l.version++
	s.Version = l.version
	l.last = s
	return s
}

// publish sends what was found to the reader, if it is anything to him, and
// returns the state.
func (l *loop) publish(f findings) change.Snapshot {
	before := l.last
	snap := l.snapshot()
	set := change.Set{
		Snapshot: snap, At: f.at, Paths: f.paths, Ignored: l.unreported(f.ignored, time.Now()), Notes: l.notes,
	}
	if len(set.Paths)+len(set.Ignored)+len(set.Notes) == 0 && before.SameState(snap) {
		return snap
	}
	l.notes = nil
	change.SortPaths(set.Paths)
	change.SortPaths(set.Ignored)
	select {
	case l.posts <- set:
	case <-l.w.ctx.Done():
	}
	return snap
}

// findings are what a look at files brought.
type findings struct {
	at      time.Time
	paths   []change.Path
	ignored []change.Path
	found   time.Time // latest change of the files that were found
}

// find takes note of something found that last changed at a time, in ns since
// 1970.
func (f *findings) find(changed int64) {
	if t := time.Unix(0, changed).Add(kernelTick); t.After(f.found) {
		f.found = t
	}
}

// How often one ignored path is told of, and how many are remembered: an app
// that writes its log into a package directory must not wake the reader with
// each line.
const (
	reportAgain = 5 * time.Second
	maxReported = 1024
)

func (l *loop) unreported(paths []change.Path, now time.Time) []change.Path {
	var out []change.Path
	for _, p := range paths {
		if t, ok := l.reported[p.Name]; ok && now.Sub(t) < reportAgain {
			continue
		}
		if len(l.reported) >= maxReported {
			clear(l.reported)
		}
		l.reported[p.Name] = now
		out = append(out, p)
		if len(out) == maxIgnored {
			break
		}
	}
	return out
}

// maxIgnored bounds the ignored paths of one set.
const maxIgnored = 32
