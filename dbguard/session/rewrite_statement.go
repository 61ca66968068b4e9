package session

import (
	"bytes"
	"time"
)

// cutParse takes a Parse apart. tail is the number of parameter types, and these.
func cutParse(body []byte) (name, text, tail []byte, ok bool) {
	name, rest, ok := cutString(body)
	if !ok {
		return nil, nil, nil, false
	}
	text, tail, ok = cutString(rest)
	return name, text, tail, ok
}

// cutTarget returns the name in a Describe or Close that is of that kind, S or P.
func cutTarget(body []byte, kind byte) (name []byte, ok bool) {
	if len(body) == 0 || body[0] != kind {
		return nil, false
	}
	name, _, ok = cutString(body[1:])
	return name, ok
}

func describes(body []byte, statement string) bool {
	name, ok := cutTarget(body, 'S')
	return ok && string(key(name)) == statement
}

// parse remembers a statement and prepares it as the upstream's unnamed statement.
func (r *rewrite) parse(f frame, out []byte, now time.Time) ([]byte, verdict) {
	if f.rest > 0 {
		return r.refuse(&parseTooLong, out, now), drop
	}
	name, text, tail, ok := cutParse(f.body)
	if !ok {
		return r.malformed(f, parse, out, now), stream
	}
	st := newStatement(string(key(name)), string(text), tail)
	out = appendParse(out, r.textOf(st), tail)
	if refusal := r.refusesParse(st, string(name)); refusal != nil {
		// The server's own complaints about the text come first.
		r.push(expected{kind: parse, role: hidden}, now)
		r.batch.unnamed = unnamed{}
		return r.refuse(refusal, out, now), stream
	}
	seq := r.push(expected{kind: parse, stmt: st, text: st.fingerprint}, now)
	r.batch.unnamed = unnamed{undescribed, st, r.textOf(st)}
	r.statements.expect(effect{seq: seq, name: st.name, statement: st, always: st.name == ""})
	return out, stream
}

// refusesParse returns the error of a Parse that the server would refuse or that we cannot serve,
// or nil.
func (r *rewrite) refusesParse(st *statement, name string) *refusal {
	switch {
	case len(name) > namesPrefix-96:
		return &nameTooLong
	case name != "" && r.statements.lookup(st.name) != nil:
		return duplicateStatement(name)
	case !r.statements.fits(st):
		return &tooManyBytes
	case st.facts.verb == verbExecute && r.ours(st.facts.name):
		return executeInSQL(st.facts.name)
	}
	return nil
}

func newStatement(name, text string, tail []byte) *statement {
	return &statement{name: name, sql: text, tail: bytes.Clone(tail), fingerprint: Fingerprint(text), facts: readSQL(text)}
}

// refuse makes the server fail in the place of a message, and shows the client the refusal for it.
func (r *rewrite) refuse(refusal *refusal, out []byte, now time.Time) []byte {
	r.push(expected{kind: execute, refusal: refusal}, now)
	return appendPoison(out)
}

// malformed passes a message that the server will complain about.
func (r *rewrite) malformed(f frame, k kind, out []byte, now time.Time) []byte {
	r.push(expected{kind: k}, now)
	r.batch.unnamed = unnamed{}
	return appendFrame(out, f)
}

// unreadable passes a message whose names do not end, and the server complains. When they end only
// behind what we look at, we do.
func (r *rewrite) unreadable(f frame, k kind, out []byte, now time.Time) ([]byte, verdict) {
	if f.rest > 0 {
		return r.refuse(&nameTooLong, out, now), drop
	}
	return r.malformed(f, k, out, now), stream
}

// prepare makes st the upstream's unnamed statement. With ask, the server is asked what st returns,
// which is then compared with what the client was told.
func (r *rewrite) prepare(st *statement, out []byte, ask bool) []byte {
	text := r.textOf(st)
	if r.batch.unnamed.is(st, text) {
		return out
	}
	out = appendParse(out, text, st.types())
	r.expected.push(expected{kind: parse, role: hidden, stmt: st})
	if ask {
		out = appendDescribe(out)
		r.expected.push(expected{kind: describe, role: hidden, stmt: st})
	}
	r.batch.unnamed = unnamed{preparedAgain, st, text}
	return out
}

func (r *rewrite) describe(f frame, out []byte, now time.Time) ([]byte, verdict) {
	name, ok := cutTarget(f.body, 'S')
	if !ok {
		return r.aboutPortal(f, describePortal, out, now)
	}
	st := r.statements.lookup(string(key(name)))
	if st == nil {
		return r.refuse(unknownStatement(string(name)), out, now), drop
	}
	if r.rowless(st) && r.status() == 'E' {
		return r.describeAborted(st, out, now), drop
	}
	out = r.prepare(st, out, false)
	r.push(expected{kind: describe, role: r.batch.unnamed.role(), stmt: st}, now)
	return appendDescribe(out), drop
}

// rowless reports whether st is known to return no rows, and is not the upstream's unnamed
// statement.
func (r *rewrite) rowless(st *statement) bool {
	return st.shape == noRows && st.params != nil && r.batch.unnamed.stmt != st
}

// describeAborted answers a Describe from memory. In an aborted transaction the server describes a
// statement that returns no rows, but prepares none, except ROLLBACK; so that is described in its
// place.
func (r *rewrite) describeAborted(st *statement, out []byte, now time.Time) []byte {
	out = appendParse(out, "ROLLBACK", []byte{0, 0})
	r.expected.push(expected{kind: parse, role: hidden, stmt: st})
	r.push(expected{kind: describe, role: remembered, stmt: st}, now)
	r.batch.unnamed = unnamed{}
	return appendDescribe(out)
}

// close forgets a statement; closing the upstream's unnamed one never fails.
func (r *rewrite) close(f frame, out []byte, now time.Time) ([]byte, verdict) {
	name, ok := cutTarget(f.body, 'S')
	if !ok {
		r.closePortal(f.body)
		return r.aboutPortal(f, closing, out, now)
	}
	seq := r.push(expected{kind: closing}, now)
	r.statements.expect(effect{seq: seq, operation: forget, name: string(key(name))})
	r.batch.unnamed = unnamed{}
	return append(appendHead(out, 'C', 2), 'S', 0), drop
}

// appendParse appends a Parse of the unnamed statement.
func appendParse(out []byte, text string, types []byte) []byte {
	out = appendHead(out, 'P', 1+len(text)+1+len(types))
	out = append(append(out, 0), text...)
	return append(append(out, 0), types...)
}

// appendDescribe appends a Describe of the unnamed statement.
func appendDescribe(out []byte) []byte {
	return append(appendHead(out, 'D', 2), 'S', 0)
}
