package session

// queue holds messages in order, in a ring whose size is a power of two.
type queue[T any] struct {
	ring    []T
	head, n int
}

// keptRing is the largest ring that a session keeps when the queue is empty.
const keptRing = 64

func (q *queue[T]) len() int { return q.n }

// at returns the i-th message, the oldest being 0. It is valid until the next push.
func (q *queue[T]) at(i int) *T { return &q.ring[(q.head+i)&(len(q.ring)-1)] }

func (q *queue[T]) push(x T) {
	if q.n == len(q.ring) {
		q.grow()
	}
	q.n++
	*q.at(q.n - 1) = x
}

func (q *queue[T]) grow() {
	ring := make([]T, max(16, 2*len(q.ring)))
	for i := range q.n {
		ring[i] = *q.at(i)
	}
	q.ring, q.head = ring, 0
}

// pop removes the oldest message.
func (q *queue[T]) pop() T {
	var none T
	oldest := *q.at(0)
	*q.at(0) = none
	q.head, q.n = (q.head+1)&(len(q.ring)-1), q.n-1
	if q.n == 0 && len(q.ring) > keptRing {
		q.ring, q.head = nil, 0
	}
	return oldest
}

// remove takes the i-th message out of the middle.
func (q *queue[T]) remove(i int) {
	for ; i > 0; i-- {
		*q.at(i) = *q.at(i - 1)
	}
	q.pop()
}
