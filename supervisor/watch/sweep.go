package watch

import (
	"context"
	"time"

	"github.com/devguard/devguard/supervisor/change"
)

// sync is Sync: a stat of each file.
func (l *loop) sync(ctx context.Context) (change.Snapshot, error) {
	if l.plan.Rules == nil {
		return l.snapshot(), nil
	}
	out := findings{at: time.Now()}
	if err := l.sweep(ctx, listed, true, &out); err != nil {
		return change.Snapshot{}, err
	}
	return l.publish(out), nil
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
