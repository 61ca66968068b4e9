package session

import "time"

// maxOutstanding bounds the messages that are not answered yet. It has to be more than the replies
// that a server keeps unsent: the smallest has 5 bytes, the buffer 8 KiB (PQ_SEND_BUFFER_SIZE in
// pqcomm.c).
const maxOutstanding = 4096

// kind is the type of a message that was sent, with the protocol's letter where there is one for
// it.
type kind byte

const (
	parse          kind = 'P'
	bind           kind = 'B'
	describe       kind = 'D' // of the unnamed statement
	describePortal kind = 'd'
	execute        kind = 'E'
	closing        kind = 'C'
	sync           kind = 'S'
	query          kind = 'Q'
	function       kind = 'F'
	copyEnd        kind = 'c' // CopyDone or CopyFail: no reply, but ends a COPY
)

// role says what the client is shown in the place of the reply.
type role uint8

const (
	shown      role = iota // what the server says
	compared               // bind, describe: what it says, but 0A000 if the statement has changed
	remembered             // describe: what the client was told before, of another statement
	hidden                 // nothing: the message is not the client's
)

// outcome is what the server has said of a Query or FunctionCall before its ReadyForQuery.
type outcome uint8

const (
	pending outcome = iota // nothing that ends one of its statements
	succeeded
	failed
)

// expected is a message that was sent upstream and is not answered yet.
type expected struct {
	kind     kind
	role     role
	outcome  outcome // query, function
	seq      uint64
	since    time.Time  // execute, query: when the client sent it
	stmt     *statement // parse, bind, describe, execute
	text     string     // execute, query: fingerprint
	features feature    // execute, query
	refusal  *refusal   // the error that the client is shown for the one that is expected
	sqlstate string     // failed: of its error
	tag      string     // execute, query of a stand-in: of what it stands for
}

// skippable reports whether the server skips to the next Sync when the message fails.
func (x *expected) skippable() bool { return !x.endsBatch() }

// endsBatch reports whether its last reply is ReadyForQuery.
func (x *expected) endsBatch() bool { return x.kind == sync || x.kind == query || x.kind == function }

// succeed notes that one of its statements has ended well.
func (x *expected) succeed() {
	if x.outcome == pending {
		x.outcome = succeeded
	}
}

// fingerprint is that of the statement that the message is about.
func (x *expected) fingerprint() string {
	if x.text == "" && x.stmt != nil {
		return x.stmt.fingerprint
	}
	return x.text
}

// expectations is the queue of the messages that are not answered yet.
type expectations struct {
	queue[expected]
	seq   uint64 // of the next one
	ready int    // how many in the queue will be answered by a ReadyForQuery
}

// oldest returns the message that the server answers next, or nil.
func (q *expectations) oldest() *expected {
	if q.n == 0 {
		return nil
	}
	return q.at(0)
}

// push adds a message and returns its number.
func (q *expectations) push(x expected) uint64 {
	x.seq = q.seq
	q.seq++
	q.queue.push(x)
	q.count(&x, 1)
	return x.seq
}

func (q *expectations) count(x *expected, by int) {
	if x.endsBatch() {
		q.ready += by
	}
}

// pop removes the oldest message. CopyDone and CopyFail behind it turn out to have ended no COPY and
// are removed too.
func (q *expectations) pop() {
	q.remove(0)
	for q.n > 0 && q.at(0).kind == copyEnd {
		q.remove(0)
	}
}

// remove takes the i-th message out of the queue.
func (q *expectations) remove(i int) {
	q.count(q.at(i), -1)
	q.queue.remove(i)
}

// toSync returns the index of the first Sync, or the length when there is none.
func (q *expectations) toSync() int {
	for i := range q.len() {
		if q.at(i).kind == sync {
			return i
		}
	}
	return q.len()
}

// synced reports whether there is a Sync.
func (q *expectations) synced() bool { return q.toSync() < q.len() }
