package session

// replyState says what becomes of the upstream's replies in mode Rewrite.
type replyState uint8

const (
	passing   replyState = iota // they are for the client, except those to messages of ours
	stale                       // so too; but the unnamed statement has changed since
	concealed                   // the client was shown 0A000: the rest of the batch is not for it
	aborting                    // the transaction is being ended as the client believes that it has
)

// replies is how far the upstream is with the batch that it answers.
type replies struct {
	state replyState
	block byte // T or I when an Execute that was shown has begun or ended a block, else 0

	// concealed, aborting: how many more ReadyForQuery the client waits for than the server sends,
	// and what is to be injected behind the client's message that is passing in pieces.
	owed     int
	deferred []byte
}

// differ notes that the unnamed statement returns something else than the client was told.
func (r *replies) differ() {
	if r.state == passing {
		r.state = stale
	}
}

// parsed notes that there is a new unnamed statement.
func (r *replies) parsed() {
	if r.state == stale {
		r.state = passing
	}
}

// conceal notes that the client has been shown 0A000.
func (r *replies) conceal() {
	if r.injects() {
		panic("BUG: a batch is refused that the client knows nothing more of")
	}
	r.state = concealed
}

// injects reports whether something may be injected at any time, so that the client must not begin
// a message.
func (r *replies) injects() bool { return r.state == concealed || r.state == aborting }

// status returns the status of the transaction as far as the client was told; before is that of the
// last ReadyForQuery.
func (r *replies) status(before byte) byte {
	if r.block != 0 {
		return r.block
	}
	return before
}

// follow notes what a text has done to the transaction; the client was shown its end.
func (r *replies) follow(f sqlFacts) {
	if f.block != 0 {
		r.block = f.block
	}
}
