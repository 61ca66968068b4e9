package guard

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// background is what a Guard does beside its callers: goroutines that end with it.
type background struct {
	ctx    context.Context // done once stop was called
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu   sync.Mutex
	over bool // nothing new begins
}

// newBackground returns a background that only stop ends, not ctx.
func newBackground(ctx context.Context) *background {
	b := &background{}
	b.ctx, b.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return b
}

// start runs f in a goroutine that wait waits for. It does nothing and returns
// false after stop.
func (b *background) start(f func()) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over {
		return false
	}
	b.work.Go(f)
	return true
}

// finish runs what closes a session in the background, and at once, within ctx,
// after stop.
func (b *background) finish(ctx context.Context, f func(context.Context)) {
	if !b.start(func() { f(b.ctx) }) {
		f(ctx)
	}
}

// stop ends what is under way and lets nothing begin; it returns false the second time.
func (b *background) stop() bool {
	b.mu.Lock()
	again := b.over
	b.over = true
	b.mu.Unlock()
	b.cancel()
	return !again
}

// stopped reports whether stop was called. Who keeps something that stop's caller
// then closes asks under its own lock, before it adds to it.
func (b *background) stopped() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.over
}

// wait returns when everything that start began is over. It is for after stop.
func (b *background) wait(ctx context.Context) error {
	done := make(chan struct{})
	go func() { b.work.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close the database guard: %w", ctx.Err())
	}
}

// sleep waits for a time, and returns false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
