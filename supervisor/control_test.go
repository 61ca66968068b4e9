package supervisor

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/reload"
)

// A wish is in the newest state once it was granted, and is refused after the end.
func TestWishes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s := &Supervisor{wishes: make(chan wish), ended: make(chan struct{})}
		w.loop.wishes, w.loop.publish = s.wishes, s.board.publish
		w.serve()
		if snap, _ := s.board.latest(); snap.Rest != reload.AtRest || !snap.Ready || snap.Gen != 1 {
			t.Errorf("%+v", snap)
		}
		c := s.control()
		if err := c.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		if snap, _ := c.Latest(); snap.Rest != reload.AtWork {
			t.Errorf("%+v", snap)
		}
		w.await(reload.LogInstanceReady, 2)
		if err := c.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if snap, _ := c.Latest(); snap.Phase != "stopping" {
			t.Errorf("%+v", snap)
		}
		w.end()
		close(s.ended)
		if err := c.Restart(t.Context()); !errors.Is(err, ErrEnded) {
			t.Error(err)
		}
	})
}

// A wish ends with whoever has it; until then it waits for the loop.
func TestWishWithoutALoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Supervisor{wishes: make(chan wish), ended: make(chan struct{})}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.control().Restart(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

// Who looks at the board is woken by the next state, and finds it.
func TestBoard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var b board
		w.loop.publish = b.publish
		w.serve()
		_, newer := b.latest()
		w.edit(func(s *change.Snapshot) { s.Source = change.Digest{2} })
		<-newer
		if snap, _ := b.latest(); snap.Rest != reload.AtWork {
			t.Errorf("%+v", snap)
		}
		w.interrupt()
		w.end()
		if snap, _ := b.latest(); !snap.Done {
			t.Errorf("%+v", snap)
		}
	})
}
