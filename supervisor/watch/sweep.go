package watch

import (
	"context"
	"time"

	"github.com/devguard/devguard/supervisor/change"
)

// manyFiles is from how many known files on Sync waits for events of those that only the running app
// reads, instead of a stat of each, so that a build does not take longer the larger the tree is. A
// thousand stats take a millisecond or two, a cookie takes some 0.2 ms.
const manyFiles = 1000

// sync is Sync: a stat of each file of the graph and of hooks, and of the others too if they are few,
// or events may not tell of them.
func (l *loop) sync(ctx context.Context) (change.Snapshot, error) {
	if l.plan.Rules == nil {
		return l.snapshot(), nil
	}
	all := len(l.files) < manyFiles || !l.hear()
	out := findings{at: time.Now()}
	if err := l.sweep(ctx, listed, all, &out); err != nil {
		return change.Snapshot{}, err
	}
	return l.publish(out), nil
}

// silent is how long hear waits for the next event. The queue is emptied by another goroutine, which
// takes microseconds an event.
const silent = 100 * time.Millisecond

// hear takes in the events of all writes until now, which a cookie comes after. It reports false when
// that cannot be known.
func (l *loop) hear() bool {
	cookie, sent := l.sendCookie()
	if !sent {
		return false
	}
	for cookie.next(l) == cookie {
		select {
		case b := <-l.batches:
			l.events(l.w.ctx, b)
			if b.lost {
				return true // the cookie too, perhaps, but all files were looked at
			}
		case <-time.After(silent):
			return false
		case <-l.w.ctx.Done():
			return false
		}
	}
	return l.cookies.seen >= cookie.number // else its watch has ended
}

// sweep looks at directories of some kinds, and at files, without having had an event: at all known
// files, or at those of the graph and of hooks.
func (l *loop) sweep(ctx context.Context, kind dirKind, all bool, out *findings) error {
	hints := map[string]hint{}
	if dead := l.dirs.dead(kind); len(dead) > 0 {
		l.rewatch(dead, hints)
	}
	l.dirs.awaitAgain()
	l.meet(hints)
	g := listing{now: time.Now(), hints: hints}
	for _, d := range l.dirs.with(kind) {
		if l.tick != nil {
			_ = freshen(d.path) // one that is gone is seen by the stat, or in the next sweep
		}
		if d.changedSince(g.now) {
			l.list(d, g)
		}
	}
	return l.checkAll(ctx, all, hints, out)
}

// checkAll looks at the files that hints name and at all known files, or at those of the graph and
// of hooks.
func (l *loop) checkAll(ctx context.Context, all bool, hints map[string]hint, out *findings) error {
	for name, f := range l.files {
		if all || counts(f.class) {
			hints[name] = hint{trust: true}
		}
	}
	for _, name := range l.plan.known() {
		hints[name] = hint{trust: true}
	}
	if err := l.check(ctx, hints, out); err != nil {
		return err
	}
	l.git = gitStateOf(l.plan.GitDir)
	l.allOutputs()
	return nil
}
