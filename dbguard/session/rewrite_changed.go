package session

// changed shows the client 0A000 in the place of the reply to the head. The server does not know of
// it and goes on with the batch: its replies to the rest are not shown, and what the client still
// sends of the batch is dropped.
func (r *rewrite) changed(head *expected, out []byte) []byte {
	r.replies.conceal()
	r.account.failed(head.fingerprint(), changedResult.code)
	seq := r.expected.seq
	if i := r.expected.toSync(); i < r.expected.len() {
		seq = r.expected.at(i).seq
	} else {
		r.batch.fail()
	}
	r.statements.discard(seq)
	r.pop()
	return changedResult.append(out)
}

// abort ends what was done behind 0A000: the server is in a transaction block. If the client knows
// of that block, it is made to fail; if the block was begun by a part of the batch that the client
// believes skipped, it is rolled back. The client is shown the ReadyForQuery that follows.
func (r *rewrite) abort() (inject []byte) {
	r.replies.state = aborting
	if r.replies.status(r.account.status) == 'I' {
		r.expected.push(expected{kind: query, role: hidden})
		return appendQuery(nil, "ROLLBACK")
	}
	r.expected.push(expected{kind: execute, role: hidden})
	r.expected.push(expected{kind: sync})
	return appendHead(appendPoison(nil), 'S', 0)
}

// copyStarts follows CopyInResponse. A client that has been shown 0A000 sends no data, so we fail
// the COPY: at once when the client has sent its Sync, which the server has ignored, else before
// the client's next message. Of several Syncs that the server has ignored, one is sent again, and
// its ReadyForQuery is shown once for each.
func (r *rewrite) copyStarts(f frame, head *expected, out []byte) (o, inject []byte, v verdict) {
	if head == nil {
		return appendFrame(out, f), nil, stream
	}
	ended, ignored := r.copyBegan()
	if r.replies.state != concealed {
		return appendFrame(out, f), nil, stream
	}
	r.copy.over()
	switch {
	case ended && r.expected.synced():
		r.replies.owed += ignored // the client counts them
	case ignored > 0:
		r.replies.owed += ignored - 1
		if !ended {
			inject = appendCopyFail(nil)
		}
		inject = appendHead(inject, 'S', 0)
		r.syncSent()
	case !ended:
		r.copy.state = doomed
		r.batch.fail()
	}
	return out, r.whenWhole(inject), drop
}

// whenWhole returns what to inject now. While a message of the client is passing in pieces that is
// nothing; whole then injects it behind that message.
func (r *rewrite) whenWhole(inject []byte) []byte {
	if !r.account.cut {
		return inject
	}
	r.replies.deferred = append(r.replies.deferred, inject...)
	return nil
}

// whole is called when a message of the client that passed in pieces is complete.
func (r *rewrite) whole(out []byte) []byte {
	out = append(out, r.replies.deferred...)
	r.replies.deferred = nil
	return out
}
