package session

// changed shows the client 0A000 in the place of the reply to the head. The server goes on: what it still says of this
// batch is not for the client, and nothing that comes of the batch is sent to it.
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

// abort brings the transaction where the client was told that it is: failed, or never begun when only the part of the
// batch has begun it that the client believes skipped. The ReadyForQuery after it is the one that the client gets.
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

// copyStarts follows CopyInResponse. A client that has been shown 0A000 sends no data, so the COPY is given up for it:
// now if it has sent its Sync (which the server has ignored), else before what it sends next. Of several Syncs that were
// ignored one is sent again, and its ReadyForQuery shown for each.
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

// whenWhole returns what is to be injected, now or, when the client is in the middle of a message that passes, with the
// end of that.
func (r *rewrite) whenWhole(inject []byte) []byte {
	if !r.account.cut {
		return inject
	}
	r.replies.deferred = append(r.replies.deferred, inject...)
	return nil
}

// whole follows the end of a message of the client that has passed in pieces.
func (r *rewrite) whole(out []byte) []byte {
	out = append(out, r.replies.deferred...)
	r.replies.deferred = nil
	return out
}
