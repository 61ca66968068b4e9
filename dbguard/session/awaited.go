package session

import "time"

// maxAwaited bounds the messages that are not answered yet; when there are so many, Client takes
// nothing more. This never stops a pipeline for good: a server sends its replies when it has 8 KiB
// of them (PQ_SEND_BUFFER_SIZE), and the smallest has 5 bytes, so it keeps back at most 1,638.
const maxAwaited = 16384

// awaited is a message that the server has not answered yet: P B D E C S Q F. CopyDone and
// CopyFail, which have no reply, are kept as c for their place among the others.
type awaited struct {
	typ  byte
	stmt *seenStatement // that it is about; nil: not known
	at   time.Time      // when it was forwarded
}

// ends reports whether its last reply is ReadyForQuery.
func (a awaited) ends() bool { return a.typ == 'S' || a.typ == 'Q' || a.typ == 'F' }

// awaitedQueue holds the messages that are not answered yet.
type awaitedQueue struct{ queue[awaited] }

func (q *awaitedQueue) empty() bool { return q.n == 0 }

func (q *awaitedQueue) full() bool { return q.n >= maxAwaited }

// first is the type of the first one, 0 when there is none.
func (q *awaitedQueue) first() byte {
	if q.n == 0 {
		return 0
	}
	return q.at(0).typ
}

// find returns the index of the first one of a type, or -1.
func (q *awaitedQueue) find(typ byte) int {
	for i := range q.n {
		if q.at(i).typ == typ {
			return i
		}
	}
	return -1
}
