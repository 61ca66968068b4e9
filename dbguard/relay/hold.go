package relay

import (
	"context"
	"fmt"
)

// Hold keeps the client from beginning anything new: what it has open goes on
// to its end, and from the next transaction boundary (session.Hold) nothing it
// sends is forwarded, until Release. Holds are not counted.
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

// AwaitIdle returns once the session is at a transaction boundary, where it
// stays only after Hold, or once it has ended. The error says that ctx was done
// before.
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
