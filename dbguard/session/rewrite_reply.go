package session

import (
	"bytes"
	"time"
)

// server decides about a message of the upstream.
func (r *rewrite) server(f frame, out []byte, now time.Time) (o, inject []byte, v verdict) {
	head := r.expected.head()
	switch f.typ {
	case 'N':
		if head != nil && head.hidden {
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

// reply follows a message that belongs to the head and is no error.
func (r *rewrite) reply(f frame, head *expected, out []byte, now time.Time) ([]byte, verdict) {
	hidden := head.hidden || r.guard
	switch f.typ {
	case '1':
		r.stale = false
		r.done(parse)
	case '2':
		if head.kind == bind && !r.guard && (head.checked && r.stale || head.lost) {
			return r.changed(head, out), drop
		}
		r.done(bind)
	case '3':
		r.done(closing)
	case 't':
		if head.remembered && !hidden {
			out = appendHead(out, 't', len(head.stmt.params))
			return append(out, head.stmt.params...), drop
		}
		if st := head.stmt; head.kind == describe && f.rest == 0 {
			r.statements.learn(st, &st.params, f.body)
		}
	case 'T', 'n':
		if head.kind == describe {
			return r.described(f, head, hidden, out)
		}
		r.done(describePortal)
	case 'V':
		head.ended = true
	case 'C', 'I', 's':
		return r.completed(f, head, hidden, out, now)
	}
	if hidden {
		return out, drop
	}
	return appendFrame(out, f), stream
}

// done takes the head away if it is of that kind.
func (r *rewrite) done(k kind) {
	if head := r.expected.head(); head.kind == k {
		r.finish(head, true)
	}
}

// finish takes the head away.
func (r *rewrite) finish(head *expected, succeeded bool) {
	r.statements.resolve(head.seq, succeeded && !r.guard)
	r.expected.pop()
}

// described compares what a statement returns with what the client was told, or
// remembers it. Of a statement that has changed the client is told nothing: the
// server too finds that out when it is asked, by Describe as by Bind.
func (r *rewrite) described(f frame, head *expected, hidden bool, out []byte) ([]byte, verdict) {
	st := head.stmt
	switch {
	case f.rest > 0:
		r.stale = true // a megabyte of columns: nothing to compare with
	case st.shape == 0:
		st.shape = shapeOf(f.body)
		if st.facts.unfixed {
			r.statements.learn(st, &st.row, f.body)
		}
	case !st.facts.unfixed && st.shape != shapeOf(f.body): // a server too compares only what it plans
		r.stale = true
	}
	if r.stale && head.checked && !hidden {
		return r.changed(head, out), drop
	}
	r.finish(head, true)
	switch {
	case hidden:
		return out, drop
	case st.facts.unfixed && f.rest == 0 && (st.row != nil || st.shape == noRows):
		return appendRow(out, st.row), drop
	}
	return appendFrame(out, f), stream
}

// appendRow appends what a Describe was answered with before.
func appendRow(out, row []byte) []byte {
	if len(row) == 0 {
		return appendHead(out, 'n', 0)
	}
	return append(appendHead(out, 'T', len(row)), row...)
}

// completed ends an Execute, or one statement of a Query.
func (r *rewrite) completed(f frame, head *expected, hidden bool, out []byte, now time.Time) ([]byte, verdict) {
	tag := head.tag
	r.copyIn = false
	r.tell(head.features)
	switch head.kind {
	case execute:
		r.began = r.began || !r.guard && head.stmt != nil && head.stmt.facts.begins
		r.account.executed(head.text, r.took(head, now), "")
		r.finish(head, true)
		r.nextRuns()
	case query:
		head.ended = true
	}
	switch {
	case hidden:
		return out, drop
	case tag != "" && f.typ == 'C' && bytes.Equal(f.body, []byte(standInTag+"\x00")):
		out = appendHead(out, 'C', len(tag)+1)
		return append(append(out, tag...), 0), drop
	}
	return appendFrame(out, f), stream
}

// took is how long the head has run: not before what went ahead of it was done.
func (r *rewrite) took(head *expected, now time.Time) time.Duration {
	since := head.since
	if r.lastDone.After(since) {
		since = r.lastDone
	}
	r.lastDone = now
	return now.Sub(since)
}

// nextRuns notes the statement that the server works on now.
func (r *rewrite) nextRuns() {
	for i := range r.expected.len() {
		if x := r.expected.at(i); x.kind == execute || x.kind == query {
			r.account.running(x.text, r.lastDone)
			return
		}
	}
}

// tell reports, once a session, what the pooler will not carry along.
func (r *rewrite) tell(used Feature) {
	for f := Feature(1); f != 0 && f <= used; f <<= 1 {
		if used&f != 0 && r.told&f == 0 {
			r.told |= f
			r.account.emit(Event{Kind: Uncarried, Feature: f.String()})
		}
	}
}

// failed follows an ErrorResponse: the server skips to the next Sync, and so
// nothing of what was sent before that has happened.
func (r *rewrite) failed(f frame, out []byte, now time.Time) ([]byte, verdict) {
	head := r.expected.head()
	code := errorField(f.body, 'C')
	severity := errorField(f.body, 'V')
	if head == nil || severity == "FATAL" || severity == "PANIC" {
		r.account.failed("", code)
		return appendFrame(out, f), stream
	}
	r.skipping = r.skipping || r.failCopy
	r.copyIn, r.failCopy, r.gaveUp = false, false, false
	hidden := r.guard || r.aborting
	shown := *head
	if shown.refusal != nil && code != codeNoPortal && code != codeNoStatement {
		shown.refusal = nil // failed for a reason of its own, such as a transaction that is aborted
	}
	if head.kind == bind && head.checked && r.stale && code == codeProtocol {
		shown.refusal = &changedResult
	}
	if shown.refusal != nil {
		code = shown.refusal.code
	}
	if !hidden {
		r.account.failed(shown.name(), code)
	}
	if shown.kind == execute && !hidden && head.refusal == nil {
		r.account.executed(shown.text, r.took(head, now), code)
	}
	r.forgetPortals(shown.batch)
	if shown.skippable() {
		r.statements.resolve(head.seq, false)
		r.skipToSync()
	} else {
		head.failed, head.ended, head.sqlstate = true, false, code
		r.expected.settleCopy()
	}
	switch {
	case hidden:
		return out, drop
	case shown.refusal != nil:
		return shown.refusal.append(out), drop
	}
	return appendFrame(out, f), stream
}

// name is the fingerprint of the statement that a message is about.
func (x *expected) name() string {
	if x.text == "" && x.stmt != nil {
		return x.stmt.fingerprint
	}
	return x.text
}

// skipToSync takes away what the server skips, or the client is to believe so.
func (r *rewrite) skipToSync() {
	for r.expected.len() > 0 && r.expected.head().kind != sync {
		r.expected.pop()
	}
	if head := r.expected.head(); head != nil {
		r.statements.discard(head.seq)
		return
	}
	r.statements.discard(r.expected.seq)
	r.skipping, r.open = true, false
	r.current, r.undescribed = nil, nil
}

// ready follows ReadyForQuery.
func (r *rewrite) ready(f frame, out []byte, now time.Time) (o, inject []byte, v verdict) {
	head := r.expected.head()
	if len(f.body) == 0 {
		return appendFrame(out, f), nil, stream
	}
	status := f.body[0]
	if r.unasked(head) {
		r.account.ready(status, r.expected.len() > 0, now)
		return appendFrame(out, f), nil, stream
	}
	r.copyIn = false
	inside := head.kind != sync // the batch goes on after it
	if head.kind == query && !r.guard && !head.hidden {
		r.endedQuery(head, now)
	}
	batch := head.batch
	r.statements.resolve(head.seq, head.ended && !head.failed && !r.guard)
	r.expected.pop()
	if r.answered = batch + 1; r.expected.len() == 0 {
		r.answered = r.batch // also where the server has ignored a Sync
	}
	r.stale = false
	if r.guard && inside {
		return out, nil, drop
	}
	if r.guard {
		r.guard = false
		if status == 'T' && r.expected.len() == 0 {
			return out, r.whenWhole(r.abort()), drop
		}
	}
	r.aborting, r.gaveUp, r.began = false, false, false
	if status == 'I' {
		r.forgetPortals(batch)
	}
	r.account.ready(status, r.expected.len() > 0, now)
	r.nextRuns()
	for ; r.owed > 0; r.owed-- {
		out = appendFrame(out, f)
	}
	return appendFrame(out, f), nil, stream
}

// unasked reports whether a ReadyForQuery belongs to nothing that is expected. Then
// it answers a Sync among CopyData that was taken for one that the server ignores,
// where the COPY had failed already: it was the end of skipping.
func (r *rewrite) unasked(head *expected) bool {
	switch {
	case head == nil:
		if r.skipping {
			r.skipping = false
			r.endBatch()
			r.answered = r.batch
		}
		return true
	case head.kind == query, head.kind == function:
		return !head.ended && !head.failed // nothing has been said of it yet
	}
	return head.skippable()
}

func (r *rewrite) endedQuery(head *expected, now time.Time) {
	code := ""
	if head.failed {
		code = head.sqlstate
	}
	r.account.executed(head.text, r.took(head, now), code)
}
