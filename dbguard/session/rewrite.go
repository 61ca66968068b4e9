package session

import (
	"bytes"
	"time"
)

const (
	maxParse    = 64 << 20 // of a Parse, which has to be kept to be sent again
	namesPrefix = 4096     // of Bind, Describe, Execute, Close: how much of the body may be names
	maxRow      = 1 << 20  // of a RowDescription: 1,664 columns need 140 kB
	mostPortals = 4096     // in one transaction
	errorPrefix = 1024     // of an ErrorResponse: the severity and the state come first
)

// rewrite is mode Rewrite: the client's statements are remembered here, and
// whenever one is used in a batch (the messages up to a Sync) it is prepared
// again in that batch as the upstream's unnamed statement, whatever server the
// pooler has chosen. Nothing is answered but in the place of a reply of the
// server: order, skipping after errors and the transaction's status are its own.
type rewrite struct {
	account    *account
	statements statements
	portals    map[string]portal // those with a name; outlives no transaction
	unnamed    portal
	expected   expectations

	// The client's side.
	batch       uint64     // number of the batch that is being sent: Sync, Query and FunctionCall end one
	open        bool       // extended messages were sent since
	current     *statement // what the upstream's unnamed statement is in this batch, if that is known
	currentText string     // and of which text it was made
	unchecked   bool       // current was prepared again: what is bound has to be compared
	undescribed *statement // was parsed by the last message, and the server has not been asked about it
	beganIn     uint64     // batch after the last one that may have begun a transaction
	block       byte       // T or I once this batch has begun or ended a transaction block
	data        bool       // CopyData were sent since the last message that may begin a COPY
	flushed     bool       // a Flush has been sent because the queue is nearly full

	// The upstream's side.
	answered uint64 // batches before this one are answered
	stale    bool   // the unnamed statement is not what the client knows it as
	began    bool   // the batch has begun a transaction block
	lastDone time.Time

	// What is between the two.
	skipping bool   // the batch has failed: its messages up to the Sync that is to come are dropped
	copyIn   bool   // the server waits for CopyData
	failCopy bool   // COPY of a batch that has failed for the client only: ends at the client's next message
	gaveUp   bool   // CopyFail went before a message that has no place in a COPY, and waits until that is answered
	deferred []byte // to be injected once the message that the client is in the middle of has passed
	guard    bool   // the client has been shown 0A000: what is left of the batch is not for it
	owed     int    // more ReadyForQuery that the client waits for at the end of it
	aborting bool   // the transaction is being made to fail as the client was told
	told     Feature
}

func newRewrite(a *account) conduct { return &rewrite{account: a} }

func (r *rewrite) progress() progress {
	return progress{busy: r.expected.len() > 0, unsynced: r.open || r.skipping || r.failCopy,
		copyIn:   r.copyIn || r.failCopy,
		prepared: r.statements.named}
}

// sent follows what Finish sends.
func (r *rewrite) sent(typ byte, now time.Time) {
	switch typ {
	case 'S':
		r.syncSent()
	case 'f':
		r.copyEnded()
	case 'Q':
		r.push(expected{kind: query, text: "ROLLBACK"}, now)
		r.endBatch()
	}
}

func (r *rewrite) want(client bool, typ byte, length int) int {
	if client {
		switch typ {
		case 'P':
			if length > maxParse {
				return 0 // it is refused whatever it says
			}
			return length
		case 'B', 'D', 'E', 'C':
			return namesPrefix
		case 'Q':
			return maxRead + 1
		}
		return 0
	}
	switch typ {
	case 'T', 't':
		if head := r.expected.head(); head != nil && head.kind == describe {
			return maxRow
		}
		return 0
	case 'E':
		return errorPrefix
	case 'Z':
		return 1
	case 'C':
		return 64
	}
	return 0
}

// client decides about a message of the client.
func (r *rewrite) client(f frame, out []byte, now time.Time) ([]byte, verdict) {
	switch f.typ {
	case 'd':
		if r.skipping || r.failCopy || r.injects() {
			return out, drop
		}
		r.data = true
		return appendFrame(out, f), stream
	case 'c', 'f':
		return r.endCopy(f, out)
	case 'P', 'B', 'D', 'E', 'C', 'H', 'S', 'Q', 'F':
		return r.command(f, out, now)
	}
	switch {
	case r.failCopy: // nothing but Terminate is known to come here
		out = r.giveUpCopy(out)
	case r.injects() && !r.skipping:
		return out, wait
	}
	return appendFrame(out, f), stream
}

// injects: something may be injected at any time, so no message may be begun.
func (r *rewrite) injects() bool { return r.guard || r.aborting }

// command is client for what the server obeys in order.
func (r *rewrite) command(f frame, out []byte, now time.Time) ([]byte, verdict) {
	if r.aborting || r.gaveUp {
		return out, wait
	}
	if r.skipping && f.typ != 'S' {
		return out, drop
	}
	if r.failCopy || r.copyIn {
		return r.duringCopy(f, out)
	}
	if r.mustWait(f.typ) {
		return out, wait
	}
	return r.dispatch(f, out, now)
}

// mustWait reports whether a message has to wait for replies whatever it says.
func (r *rewrite) mustWait(typ byte) bool {
	switch {
	case r.skipping:
		return false // the Sync that ends it
	case r.expected.len() >= maxOutstanding:
		return true
	case r.guard:
		return true // the next batch: the transaction may have to be made to fail before it
	case r.expected.copiesIn > 0 && typ == 'S':
		return r.data // which may have failed already: then the Sync counts
	case r.expected.copiesIn > 0 && typ != 'H':
		return true // the server would take it for a part of the COPY; it tells of that at once
	case !r.open && r.expected.checked > 0 && r.inBlock():
		return true // the same, should one of the batches before turn out to have changed
	case !r.open && r.expected.ready > 0:
		// A pooler gives its server away at the ReadyForQuery of the batch before, also when it has passed on messages
		// of this one, whose replies then go to whoever is next (pgbouncer#759, supavisor#1061). PgBouncer counts
		// the ReadyForQuery that are due, but not over a COPY.
		return true
	}
	return false
}

// dispatch sends a message on in its new form.
func (r *rewrite) dispatch(f frame, out []byte, now time.Time) ([]byte, verdict) {
	switch f.typ {
	case 'P':
		return r.parse(f, out, now)
	case 'B':
		return r.bind(f, out, now)
	case 'D':
		return r.describe(f, out, now)
	case 'E':
		return r.execute(f, out, now)
	case 'C':
		return r.close(f, out, now)
	case 'Q':
		return r.query(f, out, now)
	}
	out = r.ahead(f, out)
	switch f.typ {
	case 'S':
		r.syncSent()
	case 'F':
		r.push(expected{kind: function}, now)
		r.endBatch()
	}
	return appendFrame(out, f), stream
}

// ahead sends what the message needs before it: the question what the statement
// of the last Parse returns, unless the client asks that itself now, and a Flush
// when so much is outstanding that the client will have to wait. The message
// must not wait any more.
func (r *rewrite) ahead(f frame, out []byte) []byte {
	if st := r.undescribed; st != nil {
		if f.typ != 'D' || !describes(f.body, st.name) {
			out = appendDescribe(out)
			r.expected.push(expected{kind: describe, hidden: true, stmt: st, batch: r.batch})
		}
		r.undescribed = nil
	}
	if r.expected.len() < maxOutstanding-16 {
		r.flushed = false
	} else if !r.flushed {
		out, r.flushed = appendHead(out, 'H', 0), true
	}
	return out
}

// push adds a message of the client to what is expected.
func (r *rewrite) push(x expected, now time.Time) uint64 {
	x.batch = r.batch
	r.data = r.data && !x.copiesIn
	if x.kind == execute || x.kind == query {
		x.since = now
		if r.expected.len() == 0 {
			r.account.running(x.text, now)
		}
	}
	r.account.forwarded(now)
	if x.skippable() {
		r.open = true
	}
	return r.expected.push(x)
}

// syncSent follows a Sync that the server obeys.
func (r *rewrite) syncSent() {
	r.skipping = false
	r.expected.push(expected{kind: sync, batch: r.batch})
	r.endBatch()
}

// follow notes what a text that will be executed does to the transaction.
func (r *rewrite) follow(f sqlFacts) {
	if f.begins {
		r.beganIn, r.block = r.batch+1, 'T'
	}
	if f.ends {
		r.block = 'I'
	}
}

// status is that of the server once it has done what was sent, if all batches
// but this one are answered and this one does not fail.
func (r *rewrite) status() byte {
	if r.block != 0 {
		return r.block
	}
	return r.account.status
}

// inBlock: one of the batches that are not yet answered may run in a transaction block.
func (r *rewrite) inBlock() bool { return r.account.status != 'I' || r.beganIn > r.answered }

// endBatch: whatever the next message uses is prepared again.
func (r *rewrite) endBatch() {
	r.batch++
	r.open = false
	r.current, r.currentText, r.unchecked, r.undescribed = nil, "", false, nil
	r.block = 0
}

// cutString cuts a C string off a body.
func cutString(body []byte) (s, rest []byte, ok bool) { return bytes.Cut(body, []byte{0}) }
