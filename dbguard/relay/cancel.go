package relay

import "context"

// Cancel passes on the client's own CancelRequest and returns when the upstream
// has closed that connection: so long nothing of the client is forwarded, and
// it cannot hit a later query. It does nothing when nothing runs (as a server
// would) or the session ends already. When the client sends it over a connection
// of its own, that connection should be closed once Cancel returns, since
// clients take that for the sign that they may go on.
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
	if r.ending || r.phase != running || r.session.Idle() {
		return false
	}
	r.cancels++
	return true
}
