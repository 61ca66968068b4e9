package session

// copyData passes CopyData unless it is for a COPY that the client takes for failed.
func (r *rewrite) copyData(f frame, out []byte) ([]byte, verdict) {
	if r.batch.state == failedBatch || r.replies.injects() {
		return out, drop
	}
	r.copy.fed()
	return appendFrame(out, f), stream
}

// endCopy passes CopyDone or CopyFail.
func (r *rewrite) endCopy(f frame, out []byte) ([]byte, verdict) {
	if r.batch.state == failedBatch || r.replies.injects() {
		return out, drop
	}
	r.copyEnded()
	return appendFrame(out, f), stream
}

// copyEnded: the client has ended a COPY, perhaps before it was told that there is one.
func (r *rewrite) copyEnded() {
	if !r.copy.mayBegin() {
		r.copy.over()
	} else if r.expected.len() < maxOutstanding {
		r.expected.push(expected{kind: copyEnd})
	}
}

// duringCopy treats a message that the server would find among CopyData. It ignores Flush and Sync there (CopyGetData in
// copyfromparse.c), and ends the connection over anything else (seen with 15), which would be the pooler's. So the COPY
// is failed, and the message waits for that. So it is with a Sync behind the data of an Execute, which no driver sends:
// if the COPY has failed over the data, it ends the batch, and the pooler chooses another server.
func (r *rewrite) duringCopy(f frame, out []byte) ([]byte, verdict) {
	if f.typ == 'H' || f.typ == 'S' && !(r.copy.state == copyingFed && r.copiesByExecute()) {
		return appendFrame(out, f), stream
	}
	r.copy.state = failing
	return appendCopyFail(out), wait
}

// copiesByExecute: the COPY under way is not a Query's, whose end is its own.
func (r *rewrite) copiesByExecute() bool {
	head := r.expected.head()
	return head != nil && head.kind == execute
}

// copyBegan follows CopyInResponse to the head: of what was sent after it the server ignores Sync, up to the end of the
// COPY if that was sent too. The batch is open again when it has no other Sync.
func (r *rewrite) copyBegan() (ended bool, ignored int) {
	r.copy.began()
	ended, ignored = r.ignoreSyncs()
	if ended {
		r.copy.over()
	}
	if ignored > 0 && r.expected.ready == 0 {
		r.batch.reopen()
	}
	return ended, ignored
}

// ignoreSyncs takes away the Syncs that the server ignores, and the end of the COPY.
func (r *rewrite) ignoreSyncs() (ended bool, ignored int) {
	for r.expected.len() > 1 {
		k := r.expected.at(1).kind
		r.expected.remove(1)
		if k != sync {
			return true, ignored // a message that is not copyEnd: the server ends the connection over it
		}
		ignored++
	}
	return false, ignored
}

func appendCopyFail(out []byte) []byte {
	const why = "COPY was given up"
	return append(append(appendHead(out, 'f', len(why)+1), why...), 0)
}
