package session

import (
	"bytes"
	"time"
)

const (
	maxParse    = 64 << 20 // of a Parse, which has to be kept to be sent again
	namesPrefix = 4096     // of Bind, Describe, Execute, Close: how much of the body may be names
	maxRow      = 1 << 20  // of a RowDescription: 1,664 columns need 140 kB
	errorPrefix = 1024     // of an ErrorResponse: the severity and the state come first
)

// rewrite is mode Rewrite. It remembers the client's statements; a batch that uses one prepares it
// again, as the unnamed statement of whatever server the pooler has chosen. The client is told
// nothing but in the place of a reply of the server. So the order of replies, the skipping after
// errors and the status of the transaction are the server's own.
//
// There is one batch at a time: the next is begun once the one before it is answered.
type rewrite struct {
	account    *account
	statements statements
	portals    portals
	expected   expectations // what was sent and is not answered
	batch      batch        // what the client is sending
	copy       copyIn
	copied     bool    // a COPY was sent since the last ReadyForQuery, or may have been
	replies    replies // what the upstream is answering
	flushed    uint64  // number of the message that a Flush of ours was last sent before
	lastDone   time.Time
	told       feature
}

func newRewrite(a *account) *rewrite { return &rewrite{account: a} }

func (r *rewrite) progress() progress {
	p := progress{outstanding: r.expected.len(), batch: r.batch.state, copied: r.copied, prepared: r.statements.named}
	if r.copy.runs() || r.copy.state == doomed {
		p.copy = copiesIn
	}
	return p
}

// sent notes a message that Finish has sent.
func (r *rewrite) sent(typ byte, sql string, now time.Time) {
	switch typ {
	case 'S':
		r.syncSent()
	case 'f':
		r.copyEnded()
	case 'Q':
		r.push(expected{kind: query, text: sql}, now)
		r.batch.end()
	}
}

// wantOfClient returns how many bytes of a body have to be there before client is called. A number
// beyond length stands for length.
func (r *rewrite) wantOfClient(typ byte, length int) int {
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

// wantOfServer returns the same for server.
func (r *rewrite) wantOfServer(typ byte, _ int) int {
	switch typ {
	case 'T', 't':
		if head := r.expected.oldest(); head != nil && head.kind == describe {
			return maxRow
		}
	case 'E':
		return errorPrefix
	case 'Z':
		return 1
	case 'C':
		return 64
	}
	return 0
}

// client appends to out what goes upstream for a message of the client. With wait, it may have
// appended something that goes ahead of the message.
func (r *rewrite) client(f frame, out []byte, now time.Time) ([]byte, verdict) {
	if f.typ == 'd' {
		return r.copyData(f, out)
	}
	if r.copy.state == doomed {
		out = appendCopyFail(out)
		r.copy.over()
	}
	switch f.typ {
	case 'c', 'f':
		return r.endCopy(f, out)
	case 'P', 'B', 'D', 'E', 'C', 'H', 'S', 'Q', 'F':
		return r.command(f, out, now)
	}
	if r.replies.injects() && r.batch.state != failedBatch { // Terminate; nothing else is known
		return out, wait
	}
	return appendFrame(out, f), stream
}

// command is client for the messages that the server obeys in order.
func (r *rewrite) command(f frame, out []byte, now time.Time) ([]byte, verdict) {
	switch {
	case r.replies.state == aborting, r.copy.state == failing:
		return out, wait
	case r.batch.state == failedBatch && f.typ != 'S':
		return out, drop
	case r.copy.runs():
		return r.duringCopy(f, out)
	case r.mustWait(f.typ):
		return out, wait
	}
	return r.dispatch(f, out, now)
}

// mustWait reports whether a message has to wait for replies.
func (r *rewrite) mustWait(typ byte) bool {
	switch {
	case r.batch.state == failedBatch:
		return false // the Sync that ends it
	case r.expected.len() >= maxOutstanding:
		return true
	case r.replies.state == concealed:
		return true // the next batch: the transaction may have to be made to fail before it
	case r.copy.mayBegin() && typ == 'S':
		return r.copy.state == mayCopyFed // else it counts if the COPY has failed over the data
	case r.copy.mayBegin() && typ != 'H':
		return true // the server would take it for a part of the COPY; it tells of that at once
	}
	// At the ReadyForQuery of the batch before, a pooler gives its server to another client, also
	// when it has passed on messages of the next batch already. Their replies then go to that
	// client (pgbouncer#759, supavisor#1061). PgBouncer counts the ReadyForQuery that are due, but
	// not during a COPY.
	return r.batch.state == noBatch && r.expected.ready > 0
}

// dispatch sends a message on in its new form.
func (r *rewrite) dispatch(f frame, out []byte, now time.Time) ([]byte, verdict) {
	out = r.ahead(f, out)
	switch f.typ {
	case 'P', 'B', 'D', 'E', 'C':
		r.batch.open()
	}
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
	case 'S':
		r.syncSent()
	case 'F':
		r.push(expected{kind: function}, now)
		r.batch.end()
	}
	return appendFrame(out, f), stream
}

// ahead appends what goes before a message that does not wait. The server is asked what the
// statement of the last Parse returns, unless the message asks that itself. And when so many
// messages are outstanding that the client will soon have to wait, the server is told to Flush its
// replies.
func (r *rewrite) ahead(f frame, out []byte) []byte {
	if u := &r.batch.unnamed; u.origin == undescribed {
		if f.typ != 'D' || !describes(f.body, u.stmt.name) {
			out = appendDescribe(out)
			r.expected.push(expected{kind: describe, role: hidden, stmt: u.stmt})
		}
		u.origin = described
	}
	if n := r.expected.len(); n >= maxOutstanding-16 && r.flushed <= r.expected.oldest().seq {
		out, r.flushed = appendHead(out, 'H', 0), r.expected.seq
	}
	return out
}

// push adds a message of the client to what is expected, and returns its number.
func (r *rewrite) push(x expected, now time.Time) uint64 {
	if x.kind == execute || x.kind == query {
		x.since = now
		if r.expected.len() == 0 {
			r.account.running(x.text, now)
		}
	}
	r.account.forwarded(now)
	return r.expected.push(x)
}

// pop removes the head.
func (r *rewrite) pop() {
	r.copy.answered(r.expected.oldest().seq)
	r.expected.pop()
}

// syncSent notes that a Sync goes upstream that the server will obey.
func (r *rewrite) syncSent() {
	r.expected.push(expected{kind: sync})
	r.batch.end()
}

// status returns the status that the transaction will have when the server has done what was sent,
// if nothing of it fails.
func (r *rewrite) status() byte {
	if r.batch.block != 0 {
		return r.batch.block
	}
	return r.account.status
}

// cutString cuts a C string off a body.
func cutString(body []byte) (s, rest []byte, ok bool) { return bytes.Cut(body, []byte{0}) }
