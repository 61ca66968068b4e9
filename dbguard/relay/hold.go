package relay

import (
	"context"
	"fmt"
)

// Hold keeps the client from beginning anything new, until Release. What it has begun goes on to
// its end; from the next transaction boundary (session.Hold) nothing that it sends is forwarded.
// One Release ends any number of Holds.
func (r *Relay) Hold() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.session.Hold(true)
}

// Release ends Hold.
func (r *Relay) Release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.session.Hold(false)
	r.move()
}

// AwaitIdle returns when the session is at a transaction boundary, or has ended; it stays there only
// if Hold was called before. The error says that ctx was done first.
func (r *Relay) AwaitIdle(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.changed.Broadcast()
	})
	defer stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.phase != over && !r.session.Idle() {
		if ctx.Err() != nil {
			return fmt.Errorf("wait for the end of the transaction: %w", context.Cause(ctx))
		}
		r.changed.Wait()
	}
	return nil
}
