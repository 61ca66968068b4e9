package session

// replyState says what becomes of what the upstream says, in mode Rewrite.
type replyState uint8

const (
	passing   replyState = iota // the client is shown it, but for replies to messages that are not its own
	stale                       // so too; but the unnamed statement is not what the client knows it as
	concealed                   // the client has been shown 0A000: what is left of the batch is not for it
	aborting                    // the transaction is being made to fail, as the client was told that it has
)

// replies is the upstream's side of the batch that is being answered.
type replies struct {
	state    replyState
	block    byte   // T or I once an Execute that the client was shown has begun or ended a transaction block, else 0
	owed     int    // concealed, aborting: how many ReadyForQuery more than the server sends the client waits for
	deferred []byte // concealed, aborting: to be injected once the client's message under way has passed
}

// differ: the unnamed statement returns something else than the client was told.
func (r *replies) differ() {
	if r.state == passing {
		r.state = stale
	}
}

// parsed: there is a new unnamed statement.
func (r *replies) parsed() {
	if r.state == stale {
		r.state = passing
	}
}

// conceal follows 0A000.
func (r *replies) conceal() {
	if r.injects() {
		panic("BUG: a batch is refused that the client knows nothing more of")
	}
	r.state = concealed
}

// injects: something may be injected at any time, so the client must not begin a message.
func (r *replies) injects() bool { return r.state == concealed || r.state == aborting }

// status is that of the transaction as far as the client was told, which before this batch was before.
func (r *replies) status(before byte) byte {
	if r.block != 0 {
		return r.block
	}
	return before
}

// follow notes what an Execute that the client was shown does to the transaction.
func (r *replies) follow(f sqlFacts) {
	if b := f.block(); b != 0 {
		r.block = b
	}
}
