package relay

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/devguard/devguard/dbguard/session"
)

// Upstream is a logged-in session of a server or a pooler.
type Upstream struct {
	// Conn is positioned after the login's ReadyForQuery. The relay closes it.
	Conn net.Conn
	// Cancel sends a CancelRequest for this session and returns when the upstream has closed that
	// connection, which is when the signal has been sent, or when the context is done: Run waits
	// for it.
	Cancel func(context.Context) error
}

// Options of a Relay; the zero value works.
type Options struct {
	// OnEvents is given what the session saw, in order, by one goroutine at a time. It must not
	// block: the client's replies wait for it.
	OnEvents func([]session.Event)
	// FinishTimeout bounds the orderly end of the upstream session; after it the connection is
	// closed as it is. Default 2 s, the default drain_timeout.
	FinishTimeout time.Duration
}

const defaultFinishTimeout = 2 * time.Second

// phase is how far a relay has come; it only grows.
type phase uint8

const (
	running   phase = iota // bytes are passed both ways
	ending                 // End was called, or a side has sent what is no message
	finishing              // the client's pump is over: we end the upstream session
	over                   // the upstream is closed
)

// upstreamState is what the upstream was last sent of the session's end.
type upstreamState uint8

const (
	serving    upstreamState = iota // nothing
	terminated                      // the client's own Terminate: it ends once it has done the rest
	rolledBack                      // our ROLLBACK
	told                            // our Terminate, or the end of our bytes: it closes next
	cut                             // part of a message, for a Write has failed: it can be sent no more
)

// Relay is one client and its upstream session. Its methods may be called from any goroutine, at
// any time, also after the end.
type Relay struct {
	client   net.Conn
	upstream Upstream
	o        Options

	down  *downstream // the client's side
	write sync.Mutex  // held by who writes to the upstream, from asking the session what to write

	mu      sync.Mutex // no I/O under it; what follows is guarded by it
	changed sync.Cond  // broadcast whenever moves grows
	moves   uint64     // counts what somebody may wait for: replies, releases, cancels, phases
	session *session.Session
	phase   phase
	up      upstreamState
	fatal   []byte          // ending, finishing: the last message for the client, if there is one
	cancels int             // CancelRequests of the client under way
	events  []session.Event // not yet delivered
	spare   []session.Event // the memory of the batch before
	report  Report
}

// Report says how a session ended.
type Report struct {
	Cancelled  bool  // something ran when the client was gone, and was cancelled
	RolledBack bool  // a transaction was open, and the server has answered our ROLLBACK
	Clean      bool  // the server closed its side after it had been told to end
	Lost       bool  // the upstream ended first: it, or the way to it, may be another one by now
	Statements int   // prepared statements that the session held and that went with it
	Err        error // why the end was not orderly; nil when it was, whoever ended first
}

// New returns a relay of client and upstream, both silent since the login. It does nothing before
// Run, which must be called: Run closes both connections.
func New(client net.Conn, up Upstream, s *session.Session, o Options) *Relay {
	if o.FinishTimeout <= 0 {
		o.FinishTimeout = defaultFinishTimeout
	}
	client, up.Conn = quick(client), quick(up.Conn)
	r := &Relay{client: client, upstream: up, o: o, down: &downstream{conn: client}, session: s}
	r.changed.L = &r.mu
	return r
}

// Run passes bytes until one side ends or End is called, then ends the upstream session and
// returns. When ctx is done both connections are closed at once.
//
// A client that vanishes while what it sent does not fit into the upstream's buffers (its query
// runs, and megabytes wait behind it) is noticed when the upstream reads on, as a server itself
// would; End does not wait for that.
func (r *Relay) Run(ctx context.Context) Report {
	stop := context.AfterFunc(ctx, func() { r.abort(context.Cause(ctx)) })
	defer stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.pumpClient()
		r.finish(ctx)
	}()
	r.pumpUpstream()
	<-ended
	r.deliver(r.events) // the last ones: nobody else is left
	return r.report
}

// End ends the session now, whatever it does: the client is sent fatal (unless it is nil, or the
// client does not read) between two messages and closed, and the upstream session is cancelled,
// rolled back and terminated. It does not wait: Run returns when that is done. Once the session
// ends already, it does nothing.
func (r *Relay) End(fatal *pgproto3.ErrorResponse) {
	var last []byte
	if fatal != nil {
		last, _ = fatal.Encode(nil) // fails for a message beyond 1 GiB alone
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.end(last)
}

// end calls both pumps back and lets the finish begin, unless the session ends already. The caller
// holds mu.
func (r *Relay) end(last []byte) {
	if r.phase != running {
		return
	}
	r.phase, r.fatal = ending, last
	// Deadlines are the only way to call back a pump that is inside Read or Write.
	now := time.Now()
	if r.client.SetReadDeadline(now) != nil {
		r.down.close()
	}
	_ = r.client.SetWriteDeadline(now.Add(endGrace))
	_ = r.upstream.Conn.SetWriteDeadline(now.Add(endGrace))
	r.move()
}

// violation ends a session after bytes that cannot be a message. The caller holds mu.
func (r *Relay) violation(err error) {
	if r.phase != running {
		return
	}
	r.report.Err = err
	last, _ := (&pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: "08P01",
		Message: err.Error()}).Encode(nil)
	r.end(last)
}

// endGrace is what a Write under way may still take when the session is ended by us, and what the
// client has for its last message. On loopback a peer that reads takes microseconds, on a machine
// with four times as much to do as it has processors more than 50 ms (measured).
const endGrace = 250 * time.Millisecond

// Snapshot returns what the session does; the result does not change.
func (r *Relay) Snapshot() session.Snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.session.Snapshot()
}

// passing: the client may still be sent on. The caller holds mu.
func (r *Relay) passing() bool { return r.phase == running && r.up != terminated }

// move tells who waits for a change. The caller holds mu.
func (r *Relay) move() {
	r.moves++
	r.changed.Broadcast()
}

// abort closes both connections as they are, because of err.
func (r *Relay) abort(err error) {
	r.mu.Lock()
	if r.phase != over && r.report.Err == nil {
		r.report.Err = fmt.Errorf("session closed: %w", err)
	}
	r.mu.Unlock()
	r.down.close()
	closeHard(r.upstream.Conn)
}

// closeHard closes a connection without a farewell: tls.Conn would take up to 5 s to write its
// alert to a peer that does not read.
func closeHard(c net.Conn) {
	if secured, ok := c.(interface{ NetConn() net.Conn }); ok {
		_ = secured.NetConn().Close()
	}
	_ = c.Close()
}
