package session

import "time"

// Mode says what a session does to what passes through it.
type Mode uint8

const (
	Pass    Mode = iota // bytes pass unchanged: to a server, or to a pooler in session mode
	Rewrite             // no named prepared statement passes: to a pooler in transaction mode
)

// Options of a session; the zero value is mode Pass, to a server.
type Options struct {
	Mode   Mode
	Pooled bool // the upstream is a pooler, or may be one: see Finish
}

// Session is the state of one client and its upstream connection since the login, after which the
// status is I and nothing is outstanding. It has no lock: its owner calls it from one goroutine at
// a time.
type Session struct {
	account  account
	mode     mode
	pass     *pass    // mode Pass, else nil
	rewrite  *rewrite // mode Rewrite, else nil
	up       framer   // from the client
	down     framer   // from the upstream
	upRest   verdict  // mode Rewrite: on the message that up is in the middle of
	downRest verdict
	upOut    []byte
	downOut  []byte
	pooled   bool
	hold     bool
	ending   ending
	now      time.Time // of the last call that was given one
	err      error     // of framing, once
}

// progress is what Idle, Hold, Finish and Snapshot ask a mode for.
type progress struct {
	outstanding int        // messages that are not answered
	batch       batchState // as the server sees it
	copy        copyMode
	copied      bool // a COPY has begun since the last ReadyForQuery, or may have
	prepared    int  // named statements of the client
}

// busy reports whether replies are outstanding.
func (p progress) busy() bool { return p.outstanding > 0 }

// copyMode is the sub-protocol that the server is in (manual, "COPY Operations").
type copyMode uint8

const (
	copiesNot  copyMode = iota // or out, which takes nothing from the client
	copiesIn                   // the server waits for CopyData
	copiesBoth                 // replication: both sides send CopyData
)

// mode is how the messages of a session are treated.
type mode interface {
	progress() progress
	// sent notes a message that Finish has sent: S, f (CopyFail), or Q with that SQL.
	sent(typ byte, sql string, now time.Time)
}

// verdict is what mode Rewrite decides about a message.
type verdict uint8

const (
	wait   verdict = iota // client only: not now, ask again after the next reply
	stream                // taken; the rest of the body follows unchanged what was appended
	drop                  // taken; the rest of the body is thrown away
)

// New returns the session of a client and an upstream that have just logged in.
func New(o Options) *Session {
	s := &Session{account: account{status: 'I'}, pooled: o.Pooled}
	if o.Mode == Rewrite {
		s.rewrite = newRewrite(&s.account)
		s.mode = s.rewrite
		s.up.want, s.down.want = s.rewrite.wantOfClient, s.rewrite.wantOfServer
		return s
	}
	s.pass = newPass(&s.account)
	s.mode = s.pass
	s.up.want, s.down.want = clientWant, serverWant
	return s
}

// Client takes bytes that the client sent, in order. It returns what goes to the upstream and how
// many bytes of in it has taken. Those are fewer than len(in) only while the session is held, has
// to see replies first, or has failed (Err); call Client again with the rest after the next Server.
// After Terminate it takes and drops everything. out aliases in or a buffer of the session and is
// valid until the next call of Client.
func (s *Session) Client(in []byte, now time.Time) (out []byte, n int) {
	s.now = now
	switch {
	case s.err != nil || s.ending.phase >= finishing:
		return nil, 0
	case s.ending.phase == terminated:
		return nil, len(in)
	case s.pass != nil:
		n = s.watchClient(in, now)
		out = in[:n]
	default:
		out, n = s.rewriteClient(in, now)
	}
	if s.ending.phase == terminated {
		n = len(in)
	}
	s.account.clientBytes += uint64(n)
	return out, n
}

// Server takes bytes that the upstream sent, in order, and always all of them. It returns what goes
// to the client. In mode Rewrite it rarely returns inject too, which the caller must write to the
// upstream before anything else; until that has been answered, Client takes nothing. out aliases in
// or a buffer of the session and is valid until the next call of Server.
func (s *Session) Server(in []byte, now time.Time) (out, inject []byte) {
	s.now = now
	if s.err != nil {
		return nil, nil
	}
	s.account.serverBytes += uint64(len(in))
	if s.pass != nil {
		return in[:s.watchServer(in, now)], nil
	}
	return s.rewriteServer(in, now)
}

// Err is not nil once one side has sent what cannot be a message. From then on nothing passes, and
// the session has to be ended: Finish says how.
func (s *Session) Err() error { return s.err }

// Hold makes Client take nothing from the next transaction boundary on (see Idle), until it is
// called with false. An endless pipeline comes to such a boundary too, because each batch is
// answered before the next one is taken.
func (s *Session) Hold(on bool) { s.hold = on }

// Idle reports whether the session is at a transaction boundary: nothing is outstanding, the status
// is I, and the client is not in the middle of a message.
func (s *Session) Idle() bool {
	p := s.mode.progress()
	return s.err == nil && !p.busy() && p.batch == noBatch && s.account.status == 'I' && !s.up.partial()
}

// held reports whether no new message may be taken.
func (s *Session) held() bool {
	if !s.hold {
		return false
	}
	p := s.mode.progress()
	return p.batch == noBatch && p.copy == copiesNot && (p.busy() || s.account.status == 'I')
}

// rewriteClient is Client in mode Rewrite.
func (s *Session) rewriteClient(in []byte, now time.Time) (out []byte, n int) {
	out = kept(s.upOut)
	for n < len(in) && s.ending.phase == alive {
		if k := s.up.skip(in[n:]); k > 0 {
			if s.upRest == stream {
				out = append(out, in[n:n+k]...)
			}
			if s.up.rest == 0 {
				out = s.rewrite.messageEnded(out)
			}
			n += k
			continue
		}
		if s.up.have == 0 && s.held() {
			break
		}
		var k int
		if out, k = s.rewriteFrame(in[n:], out, now); k == 0 {
			break
		}
		n += k
	}
	s.account.cut = s.up.rest > 0 && s.upRest == stream
	s.upOut = out
	return out, n
}

// rewriteFrame takes one frame of the client, or its beginning, and returns its length. It returns
// 0 when the frame has to wait.
func (s *Session) rewriteFrame(in, out []byte, now time.Time) ([]byte, int) {
	before := s.up
	f, n, ok, err := s.up.next(in)
	if err != nil {
		s.err = err
		return out, 0
	}
	if !ok {
		return out, n
	}
	o, v := s.rewrite.client(f, out, now)
	if v == wait {
		s.up = before
		return o, 0
	}
	s.upRest = v
	s.noteTerminate(f)
	return o, n
}

// rewriteServer is Server in mode Rewrite.
func (s *Session) rewriteServer(in []byte, now time.Time) (out, inject []byte) {
	out = kept(s.downOut)
	for n := 0; n < len(in); {
		if k := s.down.skip(in[n:]); k > 0 {
			if s.downRest == stream {
				out = append(out, in[n:n+k]...)
			}
			n += k
			continue
		}
		f, k, ok, err := s.down.next(in[n:])
		if n += k; err != nil {
			s.err = err
			break
		}
		if ok {
			o, more, v := s.rewrite.server(f, out, now)
			out, inject, s.downRest = o, append(inject, more...), v
		}
	}
	s.downOut = out
	return out, inject
}

// kept returns buf emptied for use again, or nil when it has grown beyond what a session should
// keep.
func kept(buf []byte) []byte {
	if cap(buf) > 2*keptBuffer {
		return nil
	}
	return buf[:0]
}

// noteTerminate notes the client's Terminate, which has no body.
func (s *Session) noteTerminate(f frame) {
	if f.typ == 'X' && f.length() == 0 {
		s.ending.phase = terminated
		s.account.emit(Event{Kind: Terminated})
	}
}
