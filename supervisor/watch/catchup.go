package watch

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/devguard/devguard/supervisor/change"
)

// CatchUp returns a state of the tree that has in it every write, to any file that the plan
// watches, that was completed before the call: to files of the graph, of include globs, of hooks,
// env files and the configuration. A Set with this state, or a newer one, is sent too, also when
// nothing has changed, so that the reader of Changes hears of it in its turn. Unlike Sync it waits
// for the first search for include globs, which on a large tree takes seconds.
//
// Several goroutines may call it at once. It fails only when ctx ends or the watcher is closed.
func (w *Watcher) CatchUp(ctx context.Context) (change.Snapshot, error) {
	snap, err := w.catchUp(ctx)
	if err != nil {
		return change.Snapshot{}, fmt.Errorf("catch up with file events: %w", err)
	}
	return snap, nil
}

func (w *Watcher) catchUp(ctx context.Context) (change.Snapshot, error) {
	answer := make(chan change.Snapshot, 1) // the loop never waits for a caller who has left
	c := &caller{ctx: ctx, answer: answer}
	if err := w.ask(ctx, func(l *loop) error { l.callers = append(l.callers, c); return nil }); err != nil {
		return change.Snapshot{}, err
	}
	overdue := time.NewTimer(cookieWait)
	defer overdue.Stop()
	for {
		select {
		case snap := <-answer:
			return snap, nil
		case <-overdue.C:
			w.ask(ctx, func(l *loop) error { l.giveUpCookie(c); return nil })
		case <-ctx.Done():
			return change.Snapshot{}, ctx.Err()
		case <-w.ctx.Done():
			return change.Snapshot{}, ErrClosed
		}
	}
}

// cookieWait is when a cookie is given up, and all files are looked at instead. Events arrive
// within microseconds; after a checkout of thousands of files it may take the loop some 100 ms to
// get to them. One that has not come by then will not come: the file system makes none.
const cookieWait = time.Second

// caller is a call of CatchUp that is not answered yet.
type caller struct {
	ctx    context.Context
	answer chan<- change.Snapshot
	wait   wait // nil before anything was done for it
}

// wait is what a caller waits for: one of the types below after the other, in this order.
type wait interface {
	// next returns the wait itself while it lasts, then the wait that follows; nil at the end.
	next(l *loop) wait
}

type (
	// cookieWaited: until a cookie has come through the event queue, by the watch that it was sent
	// under.
	cookieWaited struct {
		number uint64
		watch  *watch
	}
	// sweepWaited: instead of that, until all files were looked at.
	sweepWaited struct{}
	// postponedWaited: until the files that looked half saved were looked at again; the number of
	// that look.
	postponedWaited int
	// walkWaited: until include globs were searched for; the epoch of the walk.
	walkWaited int
	// newPathsWaited: until git was asked about new paths, and these were walked; the number of
	// that walk.
	newPathsWaited int
)

func (c cookieWaited) next(l *loop) wait {
	d := l.dirs.byName[l.opts.CookieDir]
	switch {
	case l.cookies.seen >= c.number:
		return l.postponedWait()
	case d == nil || d.watch != c.watch:
		return sweepWaited{} // the watch has ended, and fsnotify drops what it still had in the queue
	}
	return c
}

func (s sweepWaited) next(*loop) wait { return s } // until swept

func (l *loop) postponedWait() wait {
	if len(l.postponed) > 0 {
		return postponedWaited(l.postponedLooks + 1)
	}
	return postponedWaited(l.postponedLooks)
}

func (p postponedWaited) next(l *loop) wait {
	if l.postponedLooks < int(p) {
		return p
	}
	return walkWaited(l.epoch)
}

func (w walkWaited) next(l *loop) wait {
	if l.walkDone < int(w) {
		return w
	}
	if len(l.newPaths) > 0 {
		return newPathsWaited(l.newWalks + 1)
	}
	return newPathsWaited(l.newWalks)
}

func (a newPathsWaited) next(l *loop) wait {
	if l.newWalksDone < int(a) {
		return a
	}
	return nil
}

// serve does for the callers of CatchUp what can be done now, and answers those who have nothing
// left to wait for.
func (l *loop) serve(ctx context.Context) {
	l.callers = slices.DeleteFunc(l.callers, func(c *caller) bool { return c.ctx.Err() != nil })
	if len(l.callers) == 0 {
		return
	}
	for _, c := range l.callers {
		if c.wait == nil {
			c.wait = l.firstWait()
		}
		l.advance(c)
	}
	if !l.walking() && slices.ContainsFunc(l.callers, func(c *caller) bool { return c.wait == sweepWaited{} }) {
		if l.sweepForCallers(ctx) != nil {
			return // closing
		}
	}
	l.callers = slices.DeleteFunc(l.callers, func(c *caller) bool {
		if l.advance(c); c.wait != nil {
			return false
		}
		c.answer <- l.publish(findings{at: time.Now(), asked: true})
		return true
	})
}

// firstWait begins with a cookie, or without one with a sweep.
func (l *loop) firstWait() wait {
	if l.plan.Rules == nil {
		return l.postponedWait() // nothing is watched yet
	}
	if c, ok := l.sendCookie(); ok {
		return c
	}
	return sweepWaited{}
}

// advance goes on to the first wait that lasts.
func (l *loop) advance(c *caller) {
	for c.wait != nil {
		next := c.wait.next(l)
		if next == c.wait {
			return
		}
		c.wait = next
	}
}

// sweepForCallers looks at all files, those of include globs too.
func (l *loop) sweepForCallers(ctx context.Context) error {
	out := findings{at: time.Now()}
	if err := l.sweep(ctx, listed|walked, true, &out); err != nil {
		return err
	}
	l.publish(out)
	l.rescanNew(ctx)
	l.swept()
	return nil
}

// swept ends the waits for events and for a sweep: all files were just looked at, in a sweep or
// after a queue overflow.
func (l *loop) swept() {
	for _, c := range l.callers {
		switch c.wait.(type) {
		case cookieWaited, sweepWaited:
			c.wait = l.postponedWait()
		}
	}
}
