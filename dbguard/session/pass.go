package session

import (
	"bytes"
	"time"
)

// pass observes a session whose bytes pass unchanged. It follows what postgres.c does with each
// message. Where one of the sides does not keep to the protocol, pass is wrong about what runs
// until the next ReadyForQuery that leaves nothing outstanding, and about nothing else.
//
// One case cannot be told from outside: a client that sends Sync between CopyData and CopyDone.
// When the COPY has failed by then, that Sync counts, else the server ignores it. It is taken for
// ignored; no known driver sends it.
type pass struct {
	account  *account
	queue    awaitedQueue
	names    seenNames
	batch    batchState
	copy     copyMode       // until CopyDone has been sent
	copied   bool           // a COPY from the client has begun since the last ReadyForQuery
	sqlstate string         // of the error of the Query that runs
	last     *seenStatement // the last one executed: it is charged with an error of Sync
	since    time.Time      // of the last reply: the next message cannot have been begun before
}

func newPass(a *account) *pass { return &pass{account: a} }

func (p *pass) progress() progress {
	return progress{outstanding: p.queue.n, batch: p.batch, copy: p.copy, copied: p.copied, prepared: p.names.confirmed}
}

func (p *pass) sent(typ byte, sql string, now time.Time) {
	switch typ {
	case 'f':
		p.copy = copiesNot
	case 'S':
		p.sync(now)
	case 'Q':
		p.expect('Q', &seenStatement{fingerprint: sql}, now)
	}
}

const (
	namesWant = 256     // of Bind, Describe, Execute, Close: two names and what is before them
	sqlWant   = 4 << 10 // of Parse and Query: enough for a fingerprint, unless a comment fills it
	errorWant = 96      // of ErrorResponse: S, V and C come first, in any language
	tagWant   = 16      // of CommandComplete: DEALLOCATE ALL
)

// clientWant returns how many bytes of a client's message pass has to see.
func clientWant(typ byte, _ int) int {
	switch typ {
	case 'P', 'Q':
		return sqlWant
	case 'B', 'D', 'E', 'C':
		return namesWant
	}
	return 0
}

// serverWant returns how many bytes of an upstream's message pass has to see.
func serverWant(typ byte, _ int) int {
	switch typ {
	case 'E':
		return errorWant
	case 'C':
		return tagWant
	case 'Z':
		return 1
	}
	return 0
}

// watchClient looks at what the client sends and returns how much of it may pass.
func (s *Session) watchClient(in []byte, now time.Time) (n int) {
	for n < len(in) && s.ending.phase != terminated {
		if k := s.up.skip(in[n:]); k > 0 {
			n += k
			continue
		}
		if s.up.have == 0 && (s.held() || s.pass.queue.full()) {
			break
		}
		f, k, ok, err := s.up.next(in[n:])
		if err != nil {
			s.err = err
			break
		}
		n += k
		if ok {
			s.pass.client(f, now)
			s.noteTerminate(f)
		}
	}
	return n
}

// client follows one message of the client.
func (p *pass) client(f frame, now time.Time) {
	switch f.typ {
	case 'c', 'f':
		p.copyDone()
		return
	case 'S':
		if p.copy == copiesNot { // else copyfromparse.c ignores it
			p.sync(now)
		}
		return
	}
	if p.batch == failedBatch {
		return
	}
	switch f.typ {
	case 'Q':
		sql, _ := cutName(f.body)
		p.batch = noBatch
		p.expect('Q', &seenStatement{fingerprint: Fingerprint(string(sql))}, now)
	case 'F':
		p.batch = noBatch
		p.expect('F', nil, now)
	case 'P', 'B', 'D', 'E', 'C':
		p.batch = openBatch
		p.expect(f.typ, p.about(f), now)
	}
}

// about returns the statement that a message of the extended protocol is about, and notes the names
// that the message makes.
func (p *pass) about(f frame) *seenStatement {
	switch f.typ {
	case 'P':
		name, sql := cutName(f.body)
		sql, _, _ = bytes.Cut(sql, []byte{0})
		return p.names.parse(key(name), Fingerprint(string(sql)))
	case 'B':
		portal, rest := cutName(f.body)
		name, _ := cutName(rest)
		st := p.names.statement(key(name))
		p.names.bind(key(portal), st)
		return st
	case 'E':
		portal, _ := cutName(f.body)
		return p.names.bound(key(portal))
	}
	return p.target(f)
}

// target is the statement of a Describe or a Close; a closed one is forgotten.
func (p *pass) target(f frame) *seenStatement {
	if len(f.body) == 0 {
		return nil
	}
	name, _ := cutName(f.body[1:])
	if f.body[0] != 'S' {
		if f.typ == 'C' {
			return nil
		}
		return p.names.bound(key(name))
	}
	st := p.names.statement(key(name))
	if f.typ == 'C' && st != nil && st.name != "" {
		p.names.remove(st)
	}
	return st
}

// cutName splits a body after its first string. A string that does not end is taken as it is.
func cutName(body []byte) (name, rest []byte) {
	name, rest, _ = bytes.Cut(body, []byte{0})
	return name, rest
}

// key returns the bytes of a name that the server compares.
func key(name []byte) []byte { return name[:min(len(name), maxName)] }

// expect notes a message that the server will answer.
func (p *pass) expect(typ byte, st *seenStatement, now time.Time) {
	p.account.forwarded(now)
	p.queue.push(awaited{typ, st, now})
	if p.queue.n == 1 {
		p.begin(now)
	}
}

func (p *pass) sync(now time.Time) {
	p.batch = noBatch
	p.expect('S', nil, now)
}

// copyDone notes CopyDone or CopyFail. When the server has not begun the COPY yet, the place of
// this message among the others is kept, because the server will ignore the Syncs before it.
func (p *pass) copyDone() {
	switch {
	case p.copy == copiesIn:
		p.copy = copiesNot
	case p.batch != failedBatch && p.copy == copiesNot && !p.queue.empty() && !p.queue.full():
		p.queue.push(awaited{typ: 'c'})
	}
}

// begin notes that the server turns to the first message in the queue.
func (p *pass) begin(now time.Time) {
	for p.queue.first() == 'c' { // no copy took it
		p.queue.pop()
	}
	if !p.queue.empty() && p.queue.at(0).stmt != nil {
		p.account.running(p.queue.at(0).stmt.fingerprint, now)
	}
}
