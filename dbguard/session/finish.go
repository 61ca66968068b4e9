package session

// Finish is the next thing to do to end the upstream session once the client is gone.
type Finish struct {
	Send   []byte // write this to the upstream; not to be changed
	Cancel bool   // a statement runs: then send a CancelRequest, and wait until it has been taken
	Done   bool   // write Send, then read to the end: the server closes
	Drop   bool   // close without a farewell, like a client that dies: the pooler closes its server
	Broken bool   // nothing can be sent any more: close the connection, after the cancel

	RollsBack bool // Send ends the client's transaction
}

// ending is how far the end of a session is.
type ending struct {
	phase     endingPhase
	cancelled uint64 // 1 + account.readies when a cancel was last asked for
	begins    int    // BEGINs that Finish has sent
	block     bool   // Finish has seen the client's transaction block
}

// endingPhase is how far the end of a session is; it only grows.
type endingPhase uint8

const (
	alive      endingPhase = iota
	terminated             // the client's Terminate has been taken
	finishing              // Finish has been called: Client takes nothing
	flushed                // and Flush has been sent
	rolledBack             // and ROLLBACK
)

// Finish says what to do next to end the upstream session. Call it again after each Server until it
// says Done, Drop or Broken. From the first call on, Client takes nothing.
//
// What runs is cancelled: once, and again when a ReadyForQuery has come and more runs (a pipeline).
// A cancel that overtakes its statement does nothing (seen on a loaded machine when the statement
// had just been sent), so the caller repeats it while nothing comes. What follows depends on whether
// the session is a server's own (undo) or a pooler's (leave). After the client's own Terminate,
// Finish is Done at once, with nothing to send.
func (s *Session) Finish() Finish {
	p := s.mode.progress()
	switch s.ending.phase {
	case terminated:
		return Finish{Done: true}
	case alive:
		s.ending.phase = finishing
	}
	switch {
	case s.err != nil || s.cut():
		return Finish{Cancel: s.cancel(p), Broken: true}
	case p.copy == copiesBoth: // a WAL sender heeds it at any time
		return Finish{Send: terminate, Done: true}
	case s.pooled:
		return s.leave(p)
	}
	return s.undo(p)
}

// undo ends a session that ends with its connection. A server that waits for data is sent CopyFail,
// one that waits for Sync is sent an error and Sync, so that nothing is committed that the client
// had not asked for. Then an open transaction is rolled back; a session that is not idle after that
// is Broken. Last comes Terminate.
func (s *Session) undo(p progress) Finish {
	send := s.unblock(p)
	switch {
	case p.busy() || send != nil:
		return Finish{Cancel: s.cancel(p), Send: send}
	case s.account.status == 'I':
		return Finish{Send: terminate, Done: true}
	case s.ending.phase == rolledBack:
		return Finish{Broken: true}
	}
	return s.rollBack("ROLLBACK")
}

// rollBack sends a ROLLBACK.
func (s *Session) rollBack(sql string) Finish {
	s.ending.phase = rolledBack
	s.mode.sent('Q', sql, s.now)
	return Finish{Send: appendQuery(nil, sql), RollsBack: true}
}

var (
	terminate = appendHead(nil, 'X', 0)
	flush     = appendHead(nil, 'H', 0)
	copyFail  = append(appendHead(nil, 'f', len(goneReason)+1), goneReason+"\x00"...)
)

// undoAndSync ends a batch that has had no Sync. Sync alone would commit it, so an Execute of a
// portal that does not exist goes first: its error rolls back. The mode is not told of that
// Execute. It takes the error for one of the Sync, such as that of a deferred constraint.
var undoAndSync = append(appendFrame(nil, frame{typ: 'E', body: []byte(goneReason + "\x00\x00\x00\x00\x00")}),
	appendHead(nil, 'S', 0)...)

const goneReason = "the client is gone"

// cut reports whether the upstream has the beginning of a message whose end will not come.
func (s *Session) cut() bool {
	if s.pass != nil {
		return s.up.partial()
	}
	return s.account.cut
}

// cancel reports whether something of the client's runs for which no cancel has been asked yet.
func (s *Session) cancel(p progress) bool {
	ours := p.outstanding <= s.ending.begins
	if ours || s.ending.phase == rolledBack || s.ending.cancelled == s.account.readies+1 {
		return false
	}
	s.ending.cancelled = s.account.readies + 1
	return true
}

// unblock returns what the server waits for in the middle of a COPY or batch. Flush is sent before
// Sync, and Sync only once all is answered: one of the messages may turn out to be a COPY, during
// which the server takes nothing else.
func (s *Session) unblock(p progress) (send []byte) {
	switch {
	case p.copy == copiesIn:
		send = append(send, copyFail...)
		s.mode.sent('f', "", s.now)
	case p.batch != noBatch && p.busy():
		return s.flush()
	}
	if p.batch != noBatch {
		send = append(send, undoAndSync...)
		s.mode.sent('S', "", s.now)
	}
	return send
}

// flush returns a Flush the first time.
func (s *Session) flush() []byte {
	if s.ending.phase >= flushed {
		return nil
	}
	s.ending.phase = flushed
	return flush
}
