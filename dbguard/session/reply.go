package session

import (
	"bytes"
	"time"
)

// watchServer looks at what the upstream sends and returns how much of it may pass.
func (s *Session) watchServer(in []byte, now time.Time) (n int) {
	for n < len(in) {
		if k := s.down.skip(in[n:]); k > 0 {
			n += k
			continue
		}
		f, k, ok, err := s.down.next(in[n:])
		if err != nil {
			s.err = err
			break
		}
		n += k
		if ok && f.typ != 'D' && f.typ != 'd' {
			s.pass.reply(f, now)
		}
	}
	return n
}

// reply follows one message of the upstream. A reply that does not fit the first message in the
// queue changes nothing.
func (p *pass) reply(f frame, now time.Time) {
	first := p.queue.first()
	switch f.typ {
	case 'Z':
		p.ready(f, now)
	case 'E':
		p.failed(sqlState(f.body), now)
	case 'C':
		p.completed(f.body, now)
	case 's', 'I':
		if first == 'E' {
			p.executed("", now)
		}
	case '1', '2', '3':
		if want := answers[f.typ-'1']; first == want {
			p.answered(now)
		}
	case 'T', 'n':
		if first == 'D' {
			p.answered(now)
		}
	case 'G':
		p.copyBegins()
	case 'W':
		p.copy = copiesBoth
	}
}

// answers are the messages that ParseComplete, BindComplete and CloseComplete (1, 2, 3) answer.
const answers = "PBC"

// answered ends the first message in the queue.
func (p *pass) answered(now time.Time) {
	a := p.queue.pop()
	if a.typ == 'P' {
		p.names.parsed(a.stmt)
	}
	p.begin(now)
}

// executed ends an Execute.
func (p *pass) executed(sqlstate string, now time.Time) {
	a := p.queue.pop()
	p.ended(a, sqlstate, now)
	p.begin(now)
}

// ended reports an Execute or Query that has ended. When the replies to several come in one piece,
// the first is charged with the time of all: how they shared it cannot be seen.
func (p *pass) ended(a awaited, sqlstate string, now time.Time) {
	p.account.executed(a.stmt.fingerprintOf(), now.Sub(later(a.at, p.since)), sqlstate)
	p.last, p.since = a.stmt, now
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// completed notes CommandComplete. It ends an Execute; a Query may hold more statements.
func (p *pass) completed(body []byte, now time.Time) {
	if p.copy == copiesBoth {
		p.copy = copiesNot
	}
	if tag, _ := cutName(body); string(tag) == "DISCARD ALL" || string(tag) == "DEALLOCATE ALL" {
		p.names.forgetAll()
	}
	if p.queue.first() == 'E' {
		p.executed("", now)
	}
}

// copyBegins notes that the server now waits for CopyData. Until CopyDone it ignores each Sync
// ("for the convenience of client libraries", copyfromparse.c); those that were sent already will
// have no reply.
func (p *pass) copyBegins() {
	first := p.queue.first()
	if first != 'E' && first != 'Q' {
		return
	}
	done, synced := p.queue.find('c'), false
	for i, n := 0, p.queue.n; i < n; i++ {
		a := p.queue.pop()
		ignored := a.typ == 'S' && (done < 0 || i < done)
		if !ignored && i != done {
			p.queue.push(a)
			synced = synced || i > 0 && a.ends()
		}
	}
	p.copied = true
	if p.copy = copiesIn; done >= 0 {
		p.copy = copiesNot
	}
	if first == 'E' && !synced {
		p.batch = openBatch
	}
}

// failed notes an ErrorResponse. After one in the extended protocol the server skips to the next
// Sync.
func (p *pass) failed(sqlstate string, now time.Time) {
	p.copy = copiesNot
	switch p.queue.first() {
	case 0: // on its own account: it shuts down, or the client was idle for too long
		p.account.failed("", sqlstate)
	case 'Q', 'F':
		p.sqlstate = sqlstate
		p.account.failed(p.queue.at(0).stmt.fingerprintOf(), sqlstate)
	case 'S':
		p.account.failed(p.last.fingerprintOf(), sqlstate)
	case 'E':
		p.account.failed(p.queue.at(0).stmt.fingerprintOf(), sqlstate)
		p.executed(sqlstate, now)
		p.abandon(now)
	default:
		p.account.failed(p.queue.at(0).stmt.fingerprintOf(), sqlstate)
		p.abandon(now)
	}
}

// abandon drops the messages that the server skips.
func (p *pass) abandon(now time.Time) {
	for !p.queue.empty() && p.queue.first() != 'S' {
		p.names.undo(p.queue.pop())
	}
	if p.queue.empty() {
		p.batch = failedBatch
	}
	p.begin(now)
}

// ready notes ReadyForQuery, which ends everything up to the next Sync, Query or FunctionCall.
func (p *pass) ready(f frame, now time.Time) {
	last := p.ending()
	if last < 0 && p.queue.empty() { // it answers a Sync that was taken for one that a copy ignores
		p.batch = noBatch
	}
	for range last + 1 {
		if a := p.queue.pop(); a.typ == 'Q' {
			p.ended(a, p.sqlstate, now)
		}
	}
	p.copy, p.copied, p.sqlstate = copiesNot, false, ""
	p.begin(now)
	idle := p.queue.empty()
	if len(f.body) == 1 && bytes.IndexByte([]byte("ITE"), f.body[0]) >= 0 {
		p.account.ready(f.body[0], !idle || p.batch != noBatch, now)
	}
	if idle && p.batch == noBatch && p.account.status == 'I' {
		p.names.transactionOver()
	}
}

// ending returns the index of the first message in the queue whose last reply is ReadyForQuery, or
// -1.
func (p *pass) ending() int {
	for i := range p.queue.n {
		if p.queue.at(i).ends() {
			return i
		}
	}
	return -1
}

// sqlState returns the SQLSTATE in an ErrorResponse, "" when there is none.
func sqlState(body []byte) string {
	for len(body) > 0 && body[0] != 0 {
		field, value := body[0], []byte(nil)
		value, body = cutName(body[1:])
		if field == 'C' && isState(value) {
			return string(value)
		}
	}
	return ""
}

func isState(value []byte) bool {
	for _, c := range value {
		if !isDigit(c) && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return len(value) == 5
}
