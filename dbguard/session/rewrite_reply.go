package session

import (
	"bytes"
	"time"
)

// server appends to out what the client is shown for a message of the upstream. inject goes
// upstream at once; the caller copies it.
func (r *rewrite) server(f frame, out []byte, now time.Time) (o, inject []byte, v verdict) {
	head := r.expected.oldest()
	switch f.typ {
	case 'N':
		if head != nil && head.role == hidden {
			return out, nil, drop // said twice
		}
		return appendFrame(out, f), nil, stream
	case 'S', 'A':
		return appendFrame(out, f), nil, stream
	case 'Z':
		return r.ready(f, out, now)
	case 'E':
		out, v = r.failed(f, out, now)
		return out, nil, v
	case 'G':
		return r.copyStarts(f, head, out)
	}
	if head == nil {
		return appendFrame(out, f), nil, stream
	}
	out, v = r.reply(f, head, out, now)
	return out, nil, v
}

// reply follows a reply to the head that is no error.
func (r *rewrite) reply(f frame, head *expected, out []byte, now time.Time) ([]byte, verdict) {
	hides := r.hides(head)
	switch f.typ {
	case '1':
		r.replies.parsed()
		r.done(parse)
	case '2':
		if head.kind == bind && head.role == compared && r.replies.state == stale {
			return r.changed(head, out), drop
		}
		r.done(bind)
	case '3':
		r.done(closing)
	case 't':
		if head.role == remembered && !hides {
			out = appendHead(out, 't', len(head.stmt.params))
			return append(out, head.stmt.params...), drop
		}
		if st := head.stmt; head.kind == describe && f.rest == 0 {
			r.statements.learn(st, &st.params, f.body)
		}
	case 'T', 'n':
		if head.kind == describe {
			return r.described(f, head, out)
		}
		r.done(describePortal)
	case 'V':
		head.succeed()
	case 'C', 'I', 's':
		return r.completed(f, head, out, now)
	}
	if hides {
		return out, drop
	}
	return appendFrame(out, f), stream
}

// hides reports whether the client is not shown the reply to the head.
func (r *rewrite) hides(head *expected) bool {
	return head.role == hidden || r.replies.state == concealed
}

// done ends the head if it is of that kind.
func (r *rewrite) done(k kind) {
	if head := r.expected.oldest(); head.kind == k {
		r.finish(head, true)
	}
}

// finish ends the head.
func (r *rewrite) finish(head *expected, succeeded bool) {
	r.statements.resolve(head.seq, succeeded && r.replies.state != concealed)
	r.pop()
}

// described compares what a statement returns with what the client was told, or remembers it. When
// it has changed, Describe fails, as Bind does: so it is with a server that has the client's
// statement itself.
func (r *rewrite) described(f frame, head *expected, out []byte) ([]byte, verdict) {
	st := head.stmt
	switch {
	case f.rest > 0:
		r.replies.differ() // a megabyte of columns: nothing to compare with
	case st.shape == 0:
		st.shape = shapeOf(f.body)
		if st.facts.unfixed {
			r.statements.learn(st, &st.row, f.body)
		}
	case !st.facts.unfixed && st.shape != shapeOf(f.body): // unfixed: a server compares it neither
		r.replies.differ()
	}
	hides := r.hides(head)
	if r.replies.state == stale && head.role == compared {
		return r.changed(head, out), drop
	}
	r.finish(head, true)
	switch {
	case hides:
		return out, drop
	case st.facts.unfixed && f.rest == 0 && (st.row != nil || st.shape == noRows):
		return appendRow(out, st.row), drop
	}
	return appendFrame(out, f), stream
}

// appendRow appends the answer that a Describe had before.
func appendRow(out, row []byte) []byte {
	if len(row) == 0 {
		return appendHead(out, 'n', 0)
	}
	return append(appendHead(out, 'T', len(row)), row...)
}

// completed ends an Execute, or one statement of a Query.
func (r *rewrite) completed(f frame, head *expected, out []byte, now time.Time) ([]byte, verdict) {
	hides, tag := r.hides(head), head.tag
	if r.copy.runs() {
		r.copy.over()
	}
	r.tell(head.features)
	switch head.kind {
	case execute:
		if head.stmt != nil && r.replies.state != concealed {
			r.replies.follow(head.stmt.facts)
		}
		r.account.executed(head.text, r.took(head, now), "")
		r.finish(head, true)
		r.nextRuns()
	case query:
		head.succeed()
	}
	switch {
	case hides:
		return out, drop
	case tag != "" && f.typ == 'C' && bytes.Equal(f.body, []byte(standInTag+"\x00")):
		out = appendHead(out, 'C', len(tag)+1)
		return append(append(out, tag...), 0), drop
	}
	return appendFrame(out, f), stream
}

// took returns how long the head has run, which is not longer than since the end of what went ahead
// of it.
func (r *rewrite) took(head *expected, now time.Time) time.Duration {
	since := head.since
	if r.lastDone.After(since) {
		since = r.lastDone
	}
	r.lastDone = now
	return now.Sub(since)
}

// nextRuns notes on which statement the server works now.
func (r *rewrite) nextRuns() {
	for i := range r.expected.len() {
		if x := r.expected.at(i); x.kind == execute || x.kind == query {
			r.account.running(x.text, r.lastDone)
			return
		}
	}
}

// tell reports what the pooler does not carry to the next transaction, each feature once a session.
func (r *rewrite) tell(used feature) {
	for f := feature(1); f != 0 && f <= used; f <<= 1 {
		if used&f != 0 && r.told&f == 0 {
			r.told |= f
			r.account.emit(Event{Kind: Uncarried, Feature: f.String()})
		}
	}
}

// failed follows ErrorResponse. In a batch the server skips to the next Sync: what was sent before
// that is not done.
func (r *rewrite) failed(f frame, out []byte, now time.Time) ([]byte, verdict) {
	head := r.expected.oldest()
	code := errorField(f.body, 'C')
	severity := errorField(f.body, 'V')
	if head == nil || severity == "FATAL" || severity == "PANIC" {
		r.account.failed("", code)
		return appendFrame(out, f), stream
	}
	r.copy.over()
	hides := r.replies.injects()
	refusal := r.refusalFor(head, code)
	if refusal != nil {
		code = refusal.code
	}
	if !hides {
		r.account.failed(head.fingerprint(), code)
	}
	if head.kind == execute && !hides && head.refusal == nil {
		r.account.executed(head.text, r.took(head, now), code)
	}
	r.portals.forget()
	if head.skippable() {
		r.statements.resolve(head.seq, false)
		r.skipToSync()
	} else {
		head.outcome, head.sqlstate = failed, code
		r.copy.answered(head.seq)
	}
	switch {
	case hides:
		return out, drop
	case refusal != nil:
		return refusal.append(out), drop
	}
	return appendFrame(out, f), stream
}

// refusalFor returns the refusal that the client is shown in the place of the head's error, or nil
// when it is shown the error itself.
func (r *rewrite) refusalFor(head *expected, code string) *refusal {
	if head.kind == bind && head.role == compared && r.replies.state == stale && code == codeProtocol {
		return &changedResult
	}
	if code != codeNoPortal && code != codeNoStatement {
		return nil // failed for a reason of its own, such as a transaction that is aborted
	}
	return head.refusal
}

// skipToSync removes what the server skips.
func (r *rewrite) skipToSync() {
	for r.expected.len() > 0 && r.expected.oldest().kind != sync {
		r.pop()
	}
	if head := r.expected.oldest(); head != nil {
		r.statements.discard(head.seq)
		return
	}
	r.statements.discard(r.expected.seq)
	r.batch.fail()
}

// ready follows ReadyForQuery.
func (r *rewrite) ready(f frame, out []byte, now time.Time) (o, inject []byte, v verdict) {
	head := r.expected.oldest()
	if len(f.body) == 0 {
		return appendFrame(out, f), nil, stream
	}
	status := f.body[0]
	if r.unasked(head) {
		r.account.ready(status, r.expected.len() > 0, now)
		return appendFrame(out, f), nil, stream
	}
	r.copy.over()
	r.copied = false
	r.replies.parsed()
	hides, ofSync := r.replies.state == concealed, head.kind == sync
	if head.kind == query && head.role != hidden && !hides {
		r.account.executed(head.text, r.took(head, now), head.sqlstate)
	}
	r.finish(head, head.outcome == succeeded)
	if hides {
		if inject, goesOn := r.behindChange(ofSync, status); goesOn {
			return out, r.betweenMessages(inject), drop
		}
	}
	if status == 'I' {
		r.portals.forget()
	}
	r.account.ready(status, r.expected.len() > 0, now)
	r.nextRuns()
	for range 1 + r.replies.owed {
		out = appendFrame(out, f)
	}
	r.replies = replies{deferred: r.replies.deferred}
	return out, nil, stream
}

// unasked reports whether a ReadyForQuery answers none of the messages in the queue. Then it
// answers a Sync among CopyData that we took for ignored, and that was not, because the COPY had
// failed: it has ended the batch.
func (r *rewrite) unasked(head *expected) bool {
	if head == nil {
		if r.batch.state == failedBatch {
			r.batch.end()
		}
		return true
	}
	return head.skippable() || head.kind != sync && head.outcome == pending
}
