package guard

import (
	"context"
	"testing"
)

// TestBackground: stop ends what is under way, nothing begins after it, and what is
// still to be closed is closed all the same.
func TestBackground(t *testing.T) {
	b := newBackground(t.Context())
	leave := make(chan struct{})
	if !b.start(func() { <-b.ctx.Done(); <-leave }) || b.stopped() {
		t.Fatal("it does not begin")
	}
	if !b.stop() || b.stop() || !b.stopped() || b.ctx.Err() == nil {
		t.Error("it is not stopped, or twice")
	}
	if b.start(func() { t.Error("something began") }) {
		t.Error("something is said to have begun")
	}
	closed := false
	b.finish(t.Context(), func(context.Context) { closed = true })
	if !closed {
		t.Error("what came late is not closed")
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if b.wait(over) == nil {
		t.Error("it did not wait")
	}
	close(leave)
	if err := b.wait(t.Context()); err != nil {
		t.Error(err)
	}
}
