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

// behindChange decides about a ReadyForQuery that comes behind 0A000. goesOn is false when the
// client is shown it.
func (r *rewrite) behindChange(ofSync bool, status byte) (inject []byte, goesOn bool) {
	switch {
	case !ofSync: // of a Query, which the client believes skipped
		return nil, true
	case r.expected.len() > 0: // Syncs that the client sent ahead: the last is shown for each
		r.replies.owed++
		return nil, true
	}
	inject = r.abort(status)
	return inject, inject != nil
}

// abort ends the transaction block that the server is in after a batch with 0A000, where the client
// believes otherwise: a block that it knows of has to fail, and one that was begun in the part of
// the batch that it believes skipped is rolled back. The client is shown the ReadyForQuery that
// follows. It returns nil when there is nothing to do.
func (r *rewrite) abort(status byte) (inject []byte) {
	switch known := r.replies.status(r.account.status); {
	case known == 'I' && status != 'I':
		r.expected.push(expected{kind: query, role: hidden})
		inject = appendQuery(nil, "ROLLBACK")
	case known != 'I' && status == 'T':
		r.expected.push(expected{kind: execute, role: hidden})
		r.expected.push(expected{kind: sync})
		inject = appendHead(appendPoison(nil), 'S', 0)
	default:
		return nil
	}
	r.replies.state = aborting
	return inject
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
	return out, r.betweenMessages(inject), drop
}

// betweenMessages returns what to inject now. While a message of the client is passing in pieces
// that is nothing; messageEnded then injects it behind that message.
func (r *rewrite) betweenMessages(inject []byte) []byte {
	if !r.account.cut {
		return inject
	}
	r.replies.deferred = append(r.replies.deferred, inject...)
	return nil
}

// messageEnded is called when a message of the client that passed in pieces is complete.
func (r *rewrite) messageEnded(out []byte) []byte {
	out = append(out, r.replies.deferred...)
	r.replies.deferred = nil
	return out
}
