package session

import "time"

// Mode says what a session does to what passes through it.
type Mode uint8

const (
	Pass    Mode = iota // bytes are observed and pass unchanged: a server, or a pooler in mode session
	Rewrite             // no named prepared statement reaches the upstream: a pooler in mode transaction
)

// Options say how a session is to be; the zero value is mode Pass.
type Options struct {
	Mode Mode
}

// Session is the state of one client and its upstream connection, from just after the login (status I, nothing
// outstanding). It has no lock: its owner's holds.
type Session struct {
	account account
	mode    mode
	pass    *pass   // mode Pass
	conduct conduct // mode Rewrite
	up      framer  // from the client
	down    framer  // from the upstream
	drop    struct{ up, down bool }
	upOut   []byte
	downOut []byte
	hold    bool
	ending  ending
	now     time.Time // of the last call that was given one
	err     error     // of framing, once
}

// progress is what Idle, Hold, Finish and Snapshot ask of a mode.
type progress struct {
	busy     bool // replies are outstanding
	unsynced bool // extended messages went upstream with no Sync after them, or the server skips to the next Sync
	copyIn   bool // the server waits for CopyData
	copyBoth bool // replication: both sides send CopyData
	prepared int  // named statements of the client
}

// mode is one way to treat a session.
type mode interface {
	progress() progress
	// sent tells of a message that Finish has sent: S, f (CopyFail) or Q (ROLLBACK).
	sent(typ byte, now time.Time)
}

// verdict is what a conduct decides about a message.
type verdict uint8

const (
	wait   verdict = iota // client only: not now, ask again after the next reply
	stream                // taken; the rest of the body follows unchanged what was appended
	drop                  // taken; the rest of the body is thrown away
)

// conduct is a mode that may change messages: Session calls it for every frame and holds no mode-specific state itself.
// A frame that is passed unchanged is appended by appendFrame and streamed.
type conduct interface {
	mode
	// want says how many bytes of a body are to be gathered before client or server is called; at most length counts.
	want(client bool, typ byte, length int) int
	// client appends to out what goes upstream, with wait ahead of the message.
	client(f frame, out []byte, now time.Time) ([]byte, verdict)
	// server appends to out what goes to the client; inject goes upstream at once and is copied by the caller.
	server(f frame, out []byte, now time.Time) (o, inject []byte, v verdict)
	// whole appends to out what follows a message of the client that has passed in pieces and is now complete.
	whole(out []byte) []byte
}

// New makes the session of a pair that has just logged in.
func New(o Options) *Session {
	s := &Session{account: account{status: 'I'}}
	if o.Mode == Rewrite {
		s.conduct = newRewrite(&s.account)
		s.mode = s.conduct
		s.up.want = func(typ byte, length int) int { return s.conduct.want(true, typ, length) }
		s.down.want = func(typ byte, length int) int { return s.conduct.want(false, typ, length) }
		return s
	}
	s.pass = newPass(&s.account)
	s.mode = s.pass
	s.up.want, s.down.want = clientWant, serverWant
	return s
}

// Client takes bytes that the client sent, in order. It returns what goes to the upstream and how many bytes of in it
// has taken: fewer than len(in) only while the session is held, has to see replies first (call again with the rest
// after the next Server), or has failed (Err). After Terminate it takes and drops everything. out aliases in or a buffer
// of the session and is valid until the next call of Client.
func (s *Session) Client(in []byte, now time.Time) (out []byte, n int) {
	s.now = now
	switch {
	case s.err != nil || s.ending.begun:
		return nil, 0
	case s.ending.terminated:
		return nil, len(in)
	case s.pass != nil:
		n = s.watchClient(in, now)
		out = in[:n]
		if s.ending.terminated {
			n = len(in)
		}
	default:
		out, n = s.conductClient(in, now)
	}
	s.account.clientBytes += uint64(n)
	return out, n
}

// Server takes bytes of the upstream, in order, always all. It returns what goes to the client and (rarely, mode Rewrite
// only) what the caller must write to the upstream before anything else; until that has been answered, Client takes
// nothing. out aliases in or a buffer of the session and is valid until the next call of Server.
func (s *Session) Server(in []byte, now time.Time) (out, inject []byte) {
	s.now = now
	if s.err != nil {
		return nil, nil
	}
	s.account.serverBytes += uint64(len(in))
	if s.pass != nil {
		return in[:s.watchServer(in, now)], nil
	}
	return s.conductServer(in, now)
}

// Err is not nil once one side has sent what cannot be a message; from then on nothing passes and the pair has to be
// ended: Finish says how.
func (s *Session) Err() error { return s.err }

// Hold on: from the next transaction boundary (see Idle) Client takes nothing. So that there is such a boundary in an
// endless pipeline too, each batch is then answered before the next one is taken.
func (s *Session) Hold(on bool) { s.hold = on }

// Idle reports whether nothing is outstanding, the status is I, and the client is not in the middle of a message.
func (s *Session) Idle() bool {
	p := s.mode.progress()
	return s.err == nil && !p.busy && !p.unsynced && s.account.status == 'I' && !s.up.partial()
}

// held: no new message may be taken.
func (s *Session) held() bool {
	if !s.hold {
		return false
	}
	p := s.mode.progress()
	return !p.unsynced && !p.copyIn && !p.copyBoth && (p.busy || s.account.status == 'I')
}

// conductClient is Client in a mode that may change messages.
func (s *Session) conductClient(in []byte, now time.Time) (out []byte, n int) {
	out = kept(s.upOut)
	for n < len(in) && !s.ending.terminated {
		if k := s.up.skip(in[n:]); k > 0 {
			if !s.drop.up {
				out = append(out, in[n:n+k]...)
			}
			if s.up.rest == 0 {
				out = s.conduct.whole(out)
			}
			n += k
			continue
		}
		if s.up.have == 0 && s.held() {
			break
		}
		var k int
		if out, k = s.conductFrame(in[n:], out, now); k == 0 {
			break
		}
		n += k
	}
	if s.ending.terminated {
		n = len(in)
	}
	s.account.cut = s.up.rest > 0 && !s.drop.up
	s.upOut = out
	return out, n
}

// conductFrame takes one frame of the client, or its beginning. It returns 0 when it must wait.
func (s *Session) conductFrame(in, out []byte, now time.Time) ([]byte, int) {
	before := s.up
	f, n, ok, err := s.up.next(in)
	if err != nil {
		s.err = err
		return out, 0
	}
	if !ok {
		return out, n
	}
	o, v := s.conduct.client(f, out, now)
	if v == wait {
		s.up = before
		return o, 0
	}
	s.drop.up = v == drop
	s.noteTerminate(f)
	return o, n
}

// conductServer is Server in a mode that may change messages.
func (s *Session) conductServer(in []byte, now time.Time) (out, inject []byte) {
	out = kept(s.downOut)
	for n := 0; n < len(in); {
		if k := s.down.skip(in[n:]); k > 0 {
			if !s.drop.down {
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
			o, more, v := s.conduct.server(f, out, now)
			out, inject, s.drop.down = o, append(inject, more...), v == drop
		}
	}
	s.downOut = out
	return out, inject
}

// kept empties a buffer for use again, unless it has grown beyond what a session should keep.
func kept(buf []byte) []byte {
	if cap(buf) > 2*keptBuffer {
		return nil
	}
	return buf[:0]
}

// noteTerminate notes the client's Terminate; one with a body is not that.
func (s *Session) noteTerminate(f frame) {
	if f.typ == 'X' && f.length() == 0 {
		s.ending.terminated = true
		s.account.emit(Event{Kind: Terminated})
	}
}
