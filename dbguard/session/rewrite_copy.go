package session

// copyData passes CopyData, unless the client has been told that its batch has failed.
func (r *rewrite) copyData(f frame, out []byte) ([]byte, verdict) {
	if r.batch.state == failedBatch || r.replies.injects() {
		return out, drop
	}
	r.copy.fed()
	return appendFrame(out, f), stream
}

// endCopy passes CopyDone or CopyFail likewise.
func (r *rewrite) endCopy(f frame, out []byte) ([]byte, verdict) {
	if r.batch.state == failedBatch || r.replies.injects() {
		return out, drop
	}
	r.copyEnded()
	return appendFrame(out, f), stream
}

// copyEnded notes CopyDone or CopyFail. The client may send it before CopyInResponse has come.
func (r *rewrite) copyEnded() {
	if !r.copy.mayBegin() {
		r.copy.over()
	} else if r.expected.len() < maxOutstanding {
		r.expected.push(expected{kind: copyEnd})
	}
}

// duringCopy treats a message that the server would find among CopyData. The server ignores Flush
// and Sync there (CopyGetData in copyfromparse.c); over anything else it ends the connection (seen
// with 15), which is not ours but the pooler's. So we fail the COPY, and the message waits for its
// error.
//
// A Sync behind the data of an Execute is treated the same, since it cannot be known whether the
// server ignores it: when the COPY has failed over the data, that Sync ends the batch, and the
// pooler chooses another server for what follows. No driver sends it.
func (r *rewrite) duringCopy(f frame, out []byte) ([]byte, verdict) {
	if f.typ == 'H' || f.typ == 'S' && !(r.copy.state == copyingFed && r.copiesByExecute()) {
		return appendFrame(out, f), stream
	}
	r.copy.state = failing
	return appendCopyFail(out), wait
}

// copiesByExecute reports whether an Execute has begun the COPY: a Query needs no Sync.
func (r *rewrite) copiesByExecute() bool {
	head := r.expected.oldest()
	return head != nil && head.kind == execute
}

// copyBegan notes that the head has begun a COPY. The server ignores the Syncs that were sent
// since, up to CopyDone or CopyFail. A batch that has no other Sync is open again. It returns
// whether the end of the COPY was sent already, and how many Syncs are ignored.
func (r *rewrite) copyBegan() (ended bool, ignored int) {
	r.copy.began()
	r.copied = true
	ended, ignored = r.ignoreSyncs()
	if ended {
		r.copy.over()
	}
	if ignored > 0 && r.expected.ready == 0 {
		r.batch.reopen()
	}
	return ended, ignored
}

// ignoreSyncs removes the Syncs that the server ignores, and the end of the COPY.
func (r *rewrite) ignoreSyncs() (ended bool, ignored int) {
	for r.expected.len() > 1 {
		k := r.expected.at(1).kind
		r.expected.remove(1)
		if k != sync {
			return true, ignored // or the server ends the connection, over what is no copyEnd
		}
		ignored++
	}
	return false, ignored
}

func appendCopyFail(out []byte) []byte {
	const why = "COPY was given up"
	return append(append(appendHead(out, 'f', len(why)+1), why...), 0)
}
