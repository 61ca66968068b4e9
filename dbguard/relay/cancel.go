package relay

import "context"

// Cancel passes on the client's own CancelRequest and returns when the upstream has closed the
// connection that it came by. Until then nothing of the client is forwarded, so that the cancel
// cannot hit a later query. When nothing runs, Cancel does nothing, as a server would; neither does
// it once the session is ending. A client that sent its request over a connection of its own takes
// the end of that connection for the sign that it may go on: close it when Cancel returns.
func (r *Relay) Cancel(ctx context.Context) {
	if !r.beginCancel() {
		return
	}
	_ = r.upstream.Cancel(ctx) // a cancel is never answered, a failed one neither
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cancels--
	r.move()
}

func (r *Relay) beginCancel() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.passing() || r.session.Idle() {
		return false
	}
	r.cancels++
	return true
}
