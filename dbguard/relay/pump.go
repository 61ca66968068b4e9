package relay

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/devguard/devguard/dbguard/session"
)

// A pump begins with a small buffer, enough for a statement or a few rows, and takes a large one
// while what comes does not fit: 500 idle sessions cost 4 MiB, 32 MiB more if the last thing that
// each received was a large part of a result.
const (
	smallBuffer = 4 << 10
	largeBuffer = 64 << 10
)

var largeBuffers = sync.Pool{New: func() any { return new([largeBuffer]byte) }}

// buffer is what one pump reads into.
type buffer struct {
	small []byte
	large *[largeBuffer]byte
}

func newBuffer() *buffer { return &buffer{small: make([]byte, smallBuffer)} }

func (b *buffer) bytes() []byte {
	if b.large != nil {
		return b.large[:]
	}
	return b.small
}

// fit chooses the buffer of the next Read by the length of the last. A stricter limit (half of the
// large one) would free more memory, but makes COPY out, which comes in pieces of 8 KiB while we
// keep up, a third slower (measured).
func (b *buffer) fit(n int) {
	switch {
	case b.large == nil && n == len(b.small):
		b.large = largeBuffers.Get().(*[largeBuffer]byte)
	case b.large != nil && n <= smallBuffer:
		b.free()
	}
}

func (b *buffer) free() {
	if b.large != nil {
		largeBuffers.Put(b.large)
		b.large = nil
	}
}

// pumpClient passes what the client sends until the client is gone, has said Terminate, or the
// session ends.
func (r *Relay) pumpClient() {
	b := newBuffer()
	defer b.free()
	for {
		n, err := r.client.Read(b.bytes())
		for in := b.bytes()[:n]; len(in) > 0; {
			taken, ok := r.pass(in)
			if !ok {
				return
			}
			in = in[taken:]
		}
		if err != nil {
			return
		}
		b.fit(n)
	}
}

// pass writes to the upstream what the session makes of in, waiting until it takes some of it. It
// returns how much of in that was, and whether the pump goes on.
func (r *Relay) pass(in []byte) (taken int, more bool) {
	for {
		r.write.Lock()
		out, taken, seen, more := r.offer(in)
		if r.send(out) != nil {
			more = false
		}
		r.write.Unlock()
		if taken > 0 || !more {
			return taken, more
		}
		r.await(seen, 0)
	}
}

// offer asks the session what becomes of in: nothing while a cancel is under way. seen is for
// await; more is false when the client's part is over.
func (r *Relay) offer(in []byte) (out []byte, taken int, seen uint64, more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !r.passing():
		return nil, 0, r.moves, false
	case r.cancels > 0:
		return nil, 0, r.moves, true
	}
	out, taken = r.session.Client(in, time.Now())
	r.changed.Broadcast() // the end of a message can make the session idle too
	r.collect()
	if err := r.session.Err(); err != nil {
		r.violation(err)
		return out, taken, r.moves, false
	}
	return out, taken, r.moves, r.passing()
}

// send writes to the upstream. What could not be written leaves the upstream in the middle of a
// message: nothing can be sent after it. The caller holds write.
func (r *Relay) send(out []byte) error {
	if len(out) == 0 {
		return nil
	}
	n, err := r.upstream.Conn.Write(out)
	if n < len(out) || err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		err = cmp.Or(err, io.ErrShortWrite)
		if r.up != told {
			r.up = cut
		}
		if r.report.Err == nil && r.phase != over {
			r.report.Err = fmt.Errorf("write to the upstream: %w", err)
		}
		r.move()
		return err
	}
	return nil
}

// pumpUpstream passes what the upstream sends until it has closed, or the connection is closed by
// us. Replies are passed on before anything else is done about them. Once the client is gone they
// are read for the session alone.
func (r *Relay) pumpUpstream() {
	b := newBuffer()
	defer b.free()
	for {
		n, err := r.upstream.Conn.Read(b.bytes())
		if n > 0 {
			out, inject, events := r.reply(b.bytes()[:n])
			if len(inject) > 0 {
				r.write.Lock()
				_ = r.send(inject) // a failure is remembered, and the next Read fails too
				r.write.Unlock()
			}
			r.down.write(out)
			r.deliver(events)
		}
		if err != nil {
			r.upstreamEnded(err)
			return
		}
		b.fit(n)
	}
}

// reply tells the session what the upstream said.
func (r *Relay) reply(in []byte) (out, inject []byte, events []session.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	out, inject = r.session.Server(in, time.Now())
	if err := r.session.Err(); err != nil {
		r.violation(err)
	}
	r.collect()
	r.move()
	events, r.events = r.events, r.spare[:0]
	r.spare = events
	return out, inject, events
}

// collect takes the session's events; a Terminate ends the client's part. The caller holds mu.
func (r *Relay) collect() {
	for _, e := range r.session.TakeEvents() {
		if e.Kind == session.Terminated && r.phase == running {
			r.up = terminated
		}
		if r.o.OnEvents != nil {
			r.events = append(r.events, e)
		}
	}
}

// deliver reports events. Only the goroutine of Run calls it.
func (r *Relay) deliver(events []session.Event) {
	if len(events) > 0 {
		r.o.OnEvents(events)
	}
}

// upstreamEnded notes how the upstream ended and closes the client, who has been sent everything
// that the upstream said.
func (r *Relay) upstreamEnded(err error) {
	r.mu.Lock()
	eof := errors.Is(err, io.EOF)
	r.report.Clean = eof && (r.up == told || r.up == terminated)
	r.report.Lost = r.phase < finishing && r.up == serving && r.report.Err == nil
	switch {
	case r.report.Err != nil || r.report.Clean:
	case eof:
		r.report.Err = errors.New("the upstream closed the connection")
	default:
		r.report.Err = fmt.Errorf("read from the upstream: %w", err)
	}
	r.report.Statements = r.session.Snapshot().Prepared
	r.phase = over
	r.move()
	r.mu.Unlock()
	closeHard(r.upstream.Conn)
	r.down.end()
}
