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

// awaitedQueue holds them in order, in a ring whose size is a power of two.
type awaitedQueue struct {
	ring    []awaited
	head, n int
}

func (q *awaitedQueue) empty() bool { return q.n == 0 }

func (q *awaitedQueue) full() bool { return q.n >= maxAwaited }

// at is the i-th from the head.
func (q *awaitedQueue) at(i int) *awaited { return &q.ring[(q.head+i)&(len(q.ring)-1)] }

func (q *awaitedQueue) push(a awaited) {
	if q.n == len(q.ring) {
		q.grow()
	}
	*q.at(q.n) = a
	q.n++
}

func (q *awaitedQueue) grow() {
	ring := make([]awaited, max(16, 2*len(q.ring)))
	for i := range q.n {
		ring[i] = *q.at(i)
	}
	q.ring, q.head = ring, 0
}

func (q *awaitedQueue) pop() awaited {
	first := *q.at(0)
	*q.at(0) = awaited{}
	q.head, q.n = (q.head+1)&(len(q.ring)-1), q.n-1
	if q.n == 0 && len(q.ring) > 1024 { // a large pipeline is over
		q.ring, q.head = nil, 0
	}
	return first
}

// first is the type of the first one, 0 when there is none.
func (q *awaitedQueue) first() byte {
	if q.n == 0 {
		return 0
	}
	return q.at(0).typ
}

// find returns the place of the first one of a type, or -1.
func (q *awaitedQueue) find(typ byte) int {
	for i := range q.n {
		if q.at(i).typ == typ {
			return i
		}
	}
	return -1
}
