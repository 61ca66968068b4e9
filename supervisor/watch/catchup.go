package watch

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/devguard/devguard/supervisor/change"
)

// CatchUp returns a state of the tree that has every write in it that was completed before the
// call, to any file that the plan watches: of the graph, of include globs, of hooks, env files and
// the configuration. What it finds on the way is sent as a Set too. It waits for the first search
// for include globs, which on a large tree takes seconds; Sync does not.
//
// It may be called by several goroutines at once. It fails only when ctx ends or the watcher is
// closed.
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

// cookieWait is when a cookie is given up and all files are looked at instead. Events take
// microseconds to arrive; after a checkout of thousands of files it may be some 100 ms until the
// loop gets to them. Later than this they do not come at all: the file system makes none.
const cookieWait = time.Second

// caller is a call of CatchUp that is not answered yet.
type caller struct {
	ctx    context.Context
	answer chan<- change.Snapshot
	wait   wait // nil before anything was done for it
}

// wait is what a caller waits for; the types below, in this order.
type wait interface {
	// next returns the wait itself while it lasts, then the next one; nil at the end.
	next(l *loop) wait
}

type (
	// cookieWaited waits until a cookie has come through the event queue.
	cookieWaited struct {
		number uint64
		watch  *watch // that reports the cookie
	}
	// sweepWaited waits, instead, until all files were looked at.
	sweepWaited struct{}
	// postponedWaited waits for the files that looked half saved. It is the number of the look at
	// them that is the first one soon enough.
	postponedWaited int
	// walkWaited waits for the search for include globs. It is the walk's epoch.
	walkWaited int
	// adoptionWaited waits for files that events told of and that git is being asked about. It is the
	// number of the adoption that takes in the last of them.
	adoptionWaited int
)

func (c cookieWaited) next(l *loop) wait {
	d := l.tree.dirs[l.opts.CookieDir]
	switch {
	case l.cookies.seen >= c.number:
		return l.postponedWait()
	case d == nil || d.watch != c.watch:
		return sweepWaited{} // its watch has ended, and what that had in the queue is dropped
	}
	return c
}

func (s sweepWaited) next(*loop) wait { return s } // swept ends it

func (l *loop) postponedWait() wait {
	if len(l.later) > 0 {
		return postponedWaited(l.laterLooks + 1)
	}
	return postponedWaited(l.laterLooks)
}

func (p postponedWaited) next(l *loop) wait {
	if l.laterLooks < int(p) {
		return p
	}
	return walkWaited(l.epoch)
}

func (w walkWaited) next(l *loop) wait {
	if l.walkDone < int(w) {
		return w
	}
	if len(l.asked) > 0 {
		return adoptionWaited(l.adoptions + 1)
	}
	return adoptionWaited(l.adoptions)
}

func (a adoptionWaited) next(l *loop) wait {
	if l.adopted < int(a) {
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
		c.answer <- l.publish(findings{at: time.Now()})
		return true
	})
}

// firstWait makes sure that all events of before the call are seen.
func (l *loop) firstWait() wait {
	if l.plan.Rules == nil {
		return l.postponedWait() // nothing is watched yet
	}
	if c, ok := l.sendCookie(); ok {
		return c
	}
	return sweepWaited{}
}

// advance ends the waits of a caller that are over.
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
	l.calm(ctx)
	l.swept()
	return nil
}

// swept ends the waits for events, because all files have just been looked at: after a sweep, and
// after an overflow.
func (l *loop) swept() {
	for _, c := range l.callers {
		switch c.wait.(type) {
		case cookieWaited, sweepWaited:
			c.wait = l.postponedWait()
		}
	}
}
