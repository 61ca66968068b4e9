package session

// batchState is how far the client is with its batch: the messages of the extended protocol up to a Sync, Query or
// FunctionCall. The server does them one after the other; from an error on it skips what is left.
type batchState uint8

const (
	noBatch     batchState = iota // nothing was sent since the last Sync, Query or FunctionCall
	openBatch                     // messages were sent: a Sync has to come
	failedBatch                   // the batch has failed: what the client sends up to its Sync is skipped
)

// batch is the batch that the client of mode Rewrite is sending.
type batch struct {
	state   batchState
	unnamed unnamed // openBatch: the upstream's unnamed statement
	block   byte    // openBatch: T or I once an Execute has begun or ended a transaction block, else 0
}

// open notes a message of the extended protocol that goes upstream.
func (b *batch) open() {
	if b.state == failedBatch {
		panic("BUG: a message goes upstream in a batch that has failed")
	}
	b.state = openBatch
}

// fail drops what the client sends from now on, up to its Sync.
func (b *batch) fail() { *b = batch{state: failedBatch} }

// end follows Sync, Query and FunctionCall. The pooler chooses a server anew for what comes next, so nothing is known of
// its unnamed statement.
func (b *batch) end() { *b = batch{} }

// reopen follows a batch whose only Sync the server has ignored.
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
	undescribed                 // by the client's Parse just now; the server was not asked yet what it returns
	described                   // by the client's Parse
	preparedAgain               // by us, for a statement that the client prepared earlier: it may return something else
)

// is reports whether the unnamed statement stands for st, made of that text.
func (u *unnamed) is(st *statement, text string) bool { return u.stmt == st && u.text == text }

// role is how the client is shown what is said of the statement.
func (u *unnamed) role() role {
	if u.origin == preparedAgain {
		return compared
	}
	return shown
}
