package session

// batchState is how far the client is with its batch. A batch is the messages of the extended
// protocol up to a Sync, Query or FunctionCall. The server obeys them one after the other; after an
// error it skips what is left, up to a Sync.
type batchState uint8

const (
	noBatch     batchState = iota // nothing was sent since the last Sync, Query or FunctionCall
	openBatch                     // messages were sent: a Sync has to come
	failedBatch                   // it has failed: what the client sends up to its Sync is skipped
)

// batch is the batch that the client of mode Rewrite is sending.
type batch struct {
	state   batchState
	unnamed unnamed // openBatch: the upstream's unnamed statement
	block   byte    // openBatch: T or I when an Execute has begun or ended a block, else 0
}

// open notes a message of the extended protocol that goes upstream.
func (b *batch) open() {
	if b.state == failedBatch {
		panic("BUG: a message goes upstream in a batch that has failed")
	}
	b.state = openBatch
}

// fail notes that the server skips, or is to seem to skip, what comes up to the Sync.
func (b *batch) fail() { *b = batch{state: failedBatch} }

// end notes Sync, Query or FunctionCall. The pooler may choose another server for what comes next,
// whose unnamed statement is not known.
func (b *batch) end() { *b = batch{} }

// reopen notes that the server has ignored the only Sync of the batch.
func (b *batch) reopen() { *b = batch{state: openBatch} }

// unnamed is what is known of the upstream's unnamed statement.
type unnamed struct {
	origin origin
	stmt   *statement // that it stands for; nil: unknown
	text   string     // that it was made of
}

// origin says by whom the unnamed statement was prepared.
type origin uint8

const (
	unknown       origin = iota // or there is none
	undescribed                 // by the client's last message; we have to ask what it returns
	described                   // by a Parse of the client in this batch
	preparedAgain               // by us: it may return something else than the client was told
)

// is reports whether the unnamed statement stands for st and was made of text.
func (u *unnamed) is(st *statement, text string) bool { return u.stmt == st && u.text == text }

// role says what the client is shown when the server describes or binds the statement.
func (u *unnamed) role() role {
	if u.origin == preparedAgain {
		return compared
	}
	return shown
}
