package session

// endCopy passes CopyDone or CopyFail.
func (r *rewrite) endCopy(f frame, out []byte) ([]byte, verdict) {
	switch {
	case r.skipping, r.injects() && !r.failCopy:
		return out, drop
	case r.failCopy:
		return r.giveUpCopy(out), drop
	}
	r.copyEnded()
	return appendFrame(out, f), stream
}

// copyEnded: the client has ended a COPY, perhaps before it was told that there is one.
func (r *rewrite) copyEnded() {
	if r.copyIn || r.failCopy {
		r.copyIn, r.failCopy = false, false
	} else if r.expected.copiesIn > 0 && r.expected.len() < maxOutstanding {
		r.expected.push(expected{kind: copyEnd})
	}
}

// duringCopy treats a message that the server would find among CopyData. It
// ignores Flush and Sync there (CopyGetData in copyfromparse.c), and ends the
// connection over anything else (seen with 15), which would be the pooler's. So
// the COPY is failed, and the message waits for that. So it is with a Sync behind
// the data of an Execute, which no driver sends: if the COPY has failed over the
// data, it ends the batch, and the pooler chooses another server.
func (r *rewrite) duringCopy(f frame, out []byte) ([]byte, verdict) {
	if r.failCopy {
		if out = r.giveUpCopy(out); f.typ != 'S' {
			return out, drop
		}
		r.syncSent()
		return appendFrame(out, f), stream
	}
	if f.typ == 'H' || f.typ == 'S' && !(r.data && r.copiesByExecute()) {
		return appendFrame(out, f), stream
	}
	r.copyIn, r.gaveUp = false, true
	return appendCopyFail(out), wait
}

// copiesByExecute: the COPY under way is not a Query's, whose end is its own.
func (r *rewrite) copiesByExecute() bool {
	head := r.expected.head()
	return head != nil && head.kind == execute
}

// giveUpCopy fails a COPY that the client takes for failed or skipped.
func (r *rewrite) giveUpCopy(out []byte) []byte {
	r.failCopy, r.skipping = false, true
	return appendCopyFail(out)
}

// copyBegan follows CopyInResponse to the head: of what was sent after it the
// server ignores Sync, up to the end of the COPY if that was sent too. The batch is
// open again when it has no other Sync.
func (r *rewrite) copyBegan() (ended bool, ignored int) {
	r.expected.settleCopy()
	ended, ignored = r.ignoreSyncs()
	r.copyIn = !ended
	if ignored > 0 && r.expected.ready == 0 {
		r.open, r.answered = true, r.batch
	}
	return ended, ignored
}

func (r *rewrite) ignoreSyncs() (ended bool, ignored int) {
	for r.expected.len() > 1 {
		k := r.expected.at(1).kind
		r.expected.remove(1)
		switch k {
		case sync:
			ignored++
			continue
		case copyEnd:
			return true, ignored
		}
		// The server fails on this one. What follows may be bound to anything.
		r.loseAfter(1)
		return true, ignored
	}
	return false, ignored
}

// loseAfter marks what is bound from there on, up to the next Sync.
func (r *rewrite) loseAfter(i int) {
	for ; i < r.expected.len() && r.expected.at(i).kind != sync; i++ {
		r.expected.at(i).lost = true
	}
}

func appendCopyFail(out []byte) []byte {
	const why = "COPY was given up"
	return append(append(appendHead(out, 'f', len(why)+1), why...), 0)
}
