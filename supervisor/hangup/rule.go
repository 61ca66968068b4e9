package hangup

import "time"

// Traffic is what the kernel tells of a connection, as its server sees it.
type Traffic struct {
	Received, Acked uint64 // bytes that came, and bytes of ours that the client has
	Sent            uint64 // bytes, also those that the client has not got yet
	In, Out         uint32 // segments with data
	Unsent          uint32 // bytes that the server has written, and the kernel holds back

	LastReceived, LastSent time.Duration // ago; of data
}

const (
	// tie: the times of the last send and the last receive are the kernel's jiffies, 4 ms on many
	// machines. What was sent within a few milliseconds of the last request may be its answer, or the
	// rest of the answer before.
	tie = 8 * time.Millisecond

	// undecided is how long after such a tie a connection counts as answered: most requests are, by
	// then.
	undecided = 2 * time.Second

	// whole is how long ago the last piece of an answer must have been sent for the answer to be whole:
	// many servers send its header and its body apart, http.server of Python for one. A jiffy.
	whole = 4 * time.Millisecond

	// pause is the same where an answer may come in parts: nothing tells the header of one from all of it.
	// A guess; a client that asks 20 times a second leaves 50 ms between an answer and its next request.
	pause = 30 * time.Millisecond

	// last is how long after the signal an app that ends well has made its last answer on a connection,
	// and closed it.
	last = 50 * time.Millisecond

	// request is how many bytes any request of HTTP/1.1 has, which names its host.
	request = 24

	// ahead is how old a connection without a byte has to be: a younger one may be about to make its
	// request, on a machine that is busy. A guess.
	ahead = 200 * time.Millisecond

	// flows: whoever was sent something within this time is in the middle of a download, or of a
	// stream that ticks. A download gets until download after the signal.
	flows    = 150 * time.Millisecond
	download = time.Second

	// stream is how long ago the request has to be for what still flows to count as a stream of events. A
	// download that takes less in all is finished, in whatever pieces it comes.
	stream = 500 * time.Millisecond

	// event is how many bytes the events of a stream have less than, on average. A guess: a download
	// has segments of up to 64 kB on this machine, and of 1,400 bytes on a network.
	event = 1024

	// smallEvent is the same of all that was sent, answers to earlier requests with it.
	smallEvent = 256
)

// Looks is what the traffic of a connection was before. A pointer is nil before there was such a look.
type Looks struct {
	Signal *Traffic // at the first, about when the signal came

	// Idle is the first that found no request without an answer, after an app that ends well has made its
	// last one.
	Idle *Traffic
}

// with adds a look, since that time after the stop signal.
func (l Looks) with(t Traffic, since time.Duration) Looks {
	if l.Signal == nil {
		l.Signal = &t
	}
	if l.Idle == nil && since >= last && t.pieces() > 0 {
		l.Idle = &t
	}
	return l
}

// Ends reports whether the connection may be ended, since that time after the stop signal. It has been
// looked at before.
func (t Traffic) Ends(before Looks, since time.Duration) bool {
	signal := *before.Signal
	switch {
	case t.goesOn(before.Idle):
		return t.paused() || since >= download
	case t.chats(signal):
		return t.LastSent >= whole
	case t.Received == 0:
		return t.LastReceived >= ahead // without data, that is the age of the connection
	case t.Acked == 0 || !t.answered():
		return false
	}
	return t.LastSent >= flows && !t.downloads(signal) || t.ticks(signal) || since >= download
}

// hearing is how far the app is with the first request of a connection.
type hearing int

const (
	heard   hearing = iota // it has answered, or nothing is about to come
	reading                // it has read some of it, or all
	pending                // it is about to come, or lies there
)

// hearing says so, when that many bytes are unread.
func (t Traffic) hearing(unread uint64) hearing {
	switch {
	case t.Received == 0 && t.LastReceived < ahead, t.Received > 0 && t.Acked == 0 && unread == t.Received:
		return pending
	case t.Received > 0 && t.Acked == 0 && t.LastReceived < ahead:
		return reading
	}
	return heard
}

// goesOn reports whether requests and answers went on after the app should have made its last answer, and
// all are answered: a server does that which goes on with the connections that it has, and a websocket.
func (t Traffic) goesOn(idle *Traffic) bool {
	const few = 2 // one may have been under way
	return idle != nil && t.In-idle.In >= few && t.pieces() == idle.pieces() && t.LastSent <= t.LastReceived && !t.mayBeHandshake()
}

// pieces is how many segments each answer had, when that is the same number for each segment that was
// received; else 0. With a request that has no answer there are less, or only the header of one.
func (t Traffic) pieces() uint32 {
	out := t.Out
	if t.Unsent > 0 {
		out++ // the kernel waits until the client has acknowledged the one before, 40 ms mostly
	}
	if t.In == 0 || out%t.In != 0 || out/t.In >= t.In {
		return 0
	}
	return out / t.In
}

// paused reports whether an answer that may come in parts has come to its end.
func (t Traffic) paused() bool { return t.LastSent >= pause || t.Unsent > 0 && t.LastSent >= whole }

// chats reports whether small messages went both ways since the signal, on a connection that has had
// an answer: what the client sent is too small for requests, so it is a websocket. The last message was
// not the client's.
func (t Traffic) chats(signal Traffic) bool {
	in, out := t.In-signal.In, t.Out-signal.Out
	return in > 0 && out > 0 && signal.Received > 0 && signal.Acked > 0 &&
		t.Received-signal.Received < request*uint64(in) && t.LastSent <= t.LastReceived
}

// downloads reports whether a download went on since the signal: it may have come to a halt on a
// machine that is busy.
func (t Traffic) downloads(signal Traffic) bool {
	pieces := uint64(t.Out - signal.Out)
	return pieces > 0 && t.Sent-signal.Sent >= event*pieces
}

// ticks reports whether what flows is a stream of events, and no download: it has been asked for long
// enough ago, and comes in small pieces; between two events, if all that it ever sent was small.
func (t Traffic) ticks(signal Traffic) bool {
	const (
		requests = 8 // on the connection at most, or a download could begin behind many small answers
		more     = 2 // pieces than an answer by itself has: some servers send its header apart
	)
	small := t.In <= requests && t.Out >= t.In+more && t.Sent < smallEvent*uint64(t.Out)
	return t.LastReceived >= stream && (t.Out > signal.Out || small) && !t.downloads(signal)
}

// answered reports whether what came last has an answer, or part of one.
func (t Traffic) answered() bool {
	newer := t.LastReceived - t.LastSent // what was sent last is newer by that
	if newer > tie {
		return true
	}
	// Both are times of one clock: received later by it is received later, and has no answer.
	quiet := newer >= 0 && t.LastSent >= undecided
	// With fewer segments out than in, the last one in may be a request just behind an answer.
	return quiet && t.Out >= t.In && !t.mayBeHandshake()
}

// mayBeHandshake reports whether all that was sent may be the handshake of TLS: the server's flight,
// and session tickets that cross the first request. The numbers are those of TLS 1.2 and 1.3 by Go,
// OpenSSL and what is built on it; a ClientHello has 180 bytes at least, a certificate 300.
func (t Traffic) mayBeHandshake() bool {
	return t.Out <= 4 && t.In >= 2 && t.Received >= 180 && t.Acked >= 500
}
