package relay

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/devguard/devguard/dbguard/session"
)

// cancelRepeat is after what time a cancel that had no effect is sent again, as often as there is
// time. One is not enough: a cancel that overtakes the query on its way to the server hits nothing,
// in a pipeline the server goes on to the next statement, and a pooler ignores the cancel of a
// query that waits for a server, which begins once another client's was cancelled. Waiting longer
// each time left 35 queries of 250 running behind a pool of 20 (measured). A guess: a server
// answers an effective cancel in a few milliseconds plus the way there and back.
const cancelRepeat = 100 * time.Millisecond

// finish ends the upstream session after the client's pump has ended. It runs in that pump's
// goroutine, so that nothing of the client can come in between.
func (r *Relay) finish(ctx context.Context) {
	last, dismiss, more := r.beginFinish()
	if !more {
		return
	}
	timeout := fmt.Errorf("the upstream has not ended within %v", r.o.FinishTimeout)
	timer := time.AfterFunc(r.o.FinishTimeout, func() { r.abort(timeout) })
	defer timer.Stop()
	ctx, stop := context.WithTimeout(ctx, r.o.FinishTimeout)
	defer stop()
	if dismiss {
		if len(last) == 0 {
			r.down.close() // a Write to a client that does not read ends now
		}
		r.down.dismiss(last)
	}
	r.takeSteps(ctx)
}

// beginFinish waits until the session is ours to end. It returns what the client is still to be
// told, whether it is to be closed, and false when there is nothing to end.
func (r *Relay) beginFinish() (last []byte, dismiss, more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.phase == running && r.up == terminated {
		r.changed.Wait() // the server finishes what the client asked for, then closes
	}
	if r.phase == over {
		return nil, false, false
	}
	// When it is the upstream that fails, its last words may be on their way: its pump closes the
	// client after them.
	dismiss = r.phase == ending || r.up != cut
	r.phase = finishing
	return r.fatal, dismiss, true
}

// takeSteps does what the session says until the upstream has closed.
func (r *Relay) takeSteps(ctx context.Context) {
	var repeat time.Duration // when to send the cancel again; 0: nothing is being cancelled
	for {
		step, seen, more := r.nextStep()
		if !more {
			return
		}
		r.sendStep(step)
		switch {
		case step.Cancel:
			_ = r.upstream.Cancel(ctx) // sent again below when it had no effect
			repeat = cancelRepeat
		case len(step.Send) > 0 || step.Done || step.Drop:
			repeat = 0
		}
		if step.Broken || step.Drop {
			closeWrite(r.upstream.Conn)
		}
		if !r.await(seen, repeat) {
			_ = r.upstream.Cancel(ctx)
		}
	}
}

// sendStep writes what a step says; a failure shows in the next one. An upstream that reads nothing
// because of the statement that runs must not keep us from the cancel.
func (r *Relay) sendStep(step session.Finish) {
	limit := r.o.FinishTimeout
	if step.Cancel {
		limit = endGrace
	}
	r.write.Lock()
	defer r.write.Unlock()
	_ = r.upstream.Conn.SetWriteDeadline(time.Now().Add(limit))
	_ = r.send(step.Send)
}

// nextStep asks the session what to do next to end the upstream session: nothing while a cancel of
// the client is under way (it must not hit the ROLLBACK), and once the upstream was told to end.
// more is false when it has ended.
func (r *Relay) nextStep() (step session.Finish, seen uint64, more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.phase == over:
		return step, r.moves, false
	case r.up == told || r.cancels > 0:
		return step, r.moves, true
	case r.up == cut:
		step = session.Finish{Cancel: !r.session.Idle(), Broken: true}
	default:
		step = r.session.Finish()
		if step.Done && len(step.Send) == 0 { // End came after the client's Terminate
			step.Cancel = !r.session.Idle()
		}
	}
	r.report.Cancelled = r.report.Cancelled || step.Cancel
	switch {
	case step.Done || step.Drop || step.Broken:
		r.report.RolledBack = !step.Broken && r.up == rolledBack
		r.up = told
	case step.RollsBack:
		r.up = rolledBack
	}
	return step, r.moves, true
}

// await returns when there is a move after seen, or false when limit has passed without one; 0 is
// for ever.
func (r *Relay) await(seen uint64, limit time.Duration) bool {
	expired := false
	if limit > 0 {
		timer := time.AfterFunc(limit, func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			expired = true
			r.changed.Broadcast()
		})
		defer timer.Stop()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.moves == seen && !expired {
		r.changed.Wait()
	}
	return r.moves != seen
}

// closeWrite tells the peer that nothing more comes and keeps reading: so we see that it has ended,
// too. Where that cannot be said the connection is closed.
func closeWrite(c net.Conn) {
	half, ok := c.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		closeHard(c)
	}
}
