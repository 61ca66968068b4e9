package session

import (
	"bytes"
	"maps"
	"time"
)

// find returns the client's statement of that name. sure is false while it is not
// certain which that is, or what a DEALLOCATE that it stands for would do.
func (r *rewrite) find(name []byte) (st *statement, sure bool) {
	st, sure = r.statements.lookup(string(key(name)), r.batch)
	return st, sure && (st == nil || r.sureFacts(st.facts))
}

// sureFacts reports whether it is certain what a text would do.
func (r *rewrite) sureFacts(f sqlFacts) bool {
	if f.verb == verbDiscardAll {
		return r.answered == r.batch // it is refused inside a transaction, so the status has to be known
	}
	if f.name == "" {
		return true
	}
	_, sure := r.statements.lookup(f.name, r.batch)
	return sure
}

// cutParse takes a Parse apart; tail is the parameter types.
func cutParse(body []byte) (name, text, tail []byte, ok bool) {
	name, rest, ok := cutString(body)
	if !ok {
		return nil, nil, nil, false
	}
	text, tail, ok = cutString(rest)
	return name, text, tail, ok
}

// cutTarget returns the name in a Describe or Close of that kind (S or P).
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

// parse remembers a statement and prepares it as the unnamed one.
func (r *rewrite) parse(f frame, out []byte, now time.Time) ([]byte, verdict) {
	if f.rest > 0 {
		return r.refuse(&parseTooLong, r.ahead(f, out), now), drop
	}
	name, text, tail, ok := cutParse(f.body)
	if !ok {
		return r.malformed(f, parse, r.ahead(f, out), now), stream
	}
	old, sure := r.statements.lookup(string(key(name)), r.batch)
	if !sure && len(name) > 0 {
		return out, wait
	}
	st := newStatement(string(key(name)), string(text), tail)
	if !r.sureFacts(st.facts) {
		return out, wait
	}
	out = appendParse(r.ahead(f, out), r.textOf(st), tail)
	if refusal := r.refusesParse(st, old, string(name)); refusal != nil {
		// The server's own complaints about the text come first, as they would.
		r.push(expected{kind: parse, hidden: true}, now)
		r.current = nil
		return r.refuse(refusal, out, now), stream
	}
	seq := r.push(expected{kind: parse, stmt: st, text: st.fingerprint}, now)
	r.statements.expect(effect{seq: seq, batch: r.batch, name: st.name, statement: st, always: st.name == ""})
	r.current, r.currentText, r.unchecked, r.undescribed = st, r.textOf(st), false, st
	return out, stream
}

// refusesParse: where the server would refuse the name, or we cannot do better.
func (r *rewrite) refusesParse(st, old *statement, name string) *refusal {
	switch {
	case len(name) > namesPrefix-96:
		return &nameTooLong
	case old != nil && name != "":
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

// ours reports whether the client has a statement of that name, which must be sure.
func (r *rewrite) ours(name string) bool {
	st, _ := r.statements.lookup(name, r.batch)
	return st != nil && name != ""
}

// textOf is what the upstream prepares for a statement: what concerns the
// client's statements is none of the pooler's business.
func (r *rewrite) textOf(st *statement) string {
	switch v := st.facts.alone(); {
	case v == verbDeallocateAll, v == verbDiscardAll, v == verbDeallocate && r.ours(st.facts.name):
		return standIn
	}
	return st.sql
}

// refuse makes the server fail here, and the client see the refusal.
func (r *rewrite) refuse(refusal *refusal, out []byte, now time.Time) []byte {
	r.push(expected{kind: execute, refusal: refusal}, now)
	return appendPoison(out)
}

// malformed passes what the server will complain about.
func (r *rewrite) malformed(f frame, k kind, out []byte, now time.Time) []byte {
	r.push(expected{kind: k}, now)
	r.current = nil
	return appendFrame(out, f)
}

// bind prepares the statement again unless the upstream has it in this batch.
func (r *rewrite) bind(f frame, out []byte, now time.Time) ([]byte, verdict) {
	name, rest, ok := []byte(nil), []byte(nil), false
	portal, after, ok := cutString(f.body)
	if ok {
		name, rest, ok = cutString(after)
	}
	if !ok {
		return r.unreadable(f, bind, r.ahead(f, out), now)
	}
	st, sure := r.find(name)
	if !sure {
		return out, wait
	}
	out = r.ahead(f, out)
	if st == nil {
		return r.refuse(unknownStatement(string(name)), out, now), drop
	}
	out = r.prepare(st, out, true)
	if !r.keepPortal(portal, st) {
		return r.refuse(&manyPortals, out, now), drop
	}
	r.push(expected{kind: bind, stmt: st, checked: r.unchecked}, now)
	out = appendHead(out, 'B', f.length()-len(name))
	out = append(append(append(out, portal...), 0), 0)
	return append(out, rest...), stream
}

// unreadable: a message whose names do not end. The server would say so, unless
// only we look no further.
func (r *rewrite) unreadable(f frame, k kind, out []byte, now time.Time) ([]byte, verdict) {
	if f.rest > 0 {
		return r.refuse(&nameTooLong, out, now), drop
	}
	return r.malformed(f, k, out, now), stream
}

// portal is what an Execute of it runs.
type portal struct {
	stmt    *statement
	standIn bool
	ran     bool // a stand-in: the server refuses to run it twice
	batch   uint64
}

// keepPortal notes what a portal was made of, which is the current statement.
func (r *rewrite) keepPortal(name []byte, st *statement) bool {
	p := portal{stmt: st, standIn: r.currentText == standIn, batch: r.batch}
	if len(name) == 0 {
		r.unnamed = p
		return true
	}
	if r.portals == nil {
		r.portals = make(map[string]portal)
	}
	if _, known := r.portals[string(key(name))]; !known && len(r.portals) >= mostPortals {
		return false
	}
	r.setPortal(name, p)
	return true
}

func (r *rewrite) setPortal(name []byte, p portal) {
	if len(name) == 0 {
		r.unnamed = p
	} else {
		r.portals[string(key(name))] = p
	}
}

// forgetPortals: the transaction that they were made in is over, or has failed.
func (r *rewrite) forgetPortals(last uint64) {
	maps.DeleteFunc(r.portals, func(_ string, p portal) bool { return p.batch <= last })
	if r.unnamed.batch <= last {
		r.unnamed = portal{}
	}
}

func (r *rewrite) portal(name []byte) portal {
	if len(name) == 0 {
		return r.unnamed
	}
	return r.portals[string(key(name))]
}

// prepare makes st the upstream's unnamed statement. The server is also asked
// what it returns, to be compared with what the client was told, unless the
// client asks that itself now.
func (r *rewrite) prepare(st *statement, out []byte, ask bool) []byte {
	text := r.textOf(st)
	if r.current == st && r.currentText == text {
		return out
	}
	out = appendParse(out, text, st.types())
	r.expected.push(expected{kind: parse, hidden: true, stmt: st, batch: r.batch})
	if ask {
		out = appendDescribe(out)
		r.expected.push(expected{kind: describe, hidden: true, stmt: st, batch: r.batch})
	}
	r.current, r.currentText, r.unchecked, r.undescribed = st, text, true, nil
	return out
}

func (r *rewrite) describe(f frame, out []byte, now time.Time) ([]byte, verdict) {
	name, ok := cutTarget(f.body, 'S')
	if !ok {
		return r.aboutPortal(f, describePortal, r.ahead(f, out), now)
	}
	st, sure := r.find(name)
	if !sure || st != nil && r.current != st && r.answered < r.batch && r.inBlock() {
		return out, wait // until it is known whether the transaction is aborted
	}
	out = r.ahead(f, out)
	if st == nil {
		return r.refuse(unknownStatement(string(name)), out, now), drop
	}
	if r.rowless(st) && r.status() == 'E' {
		return r.describeAborted(st, out, now), drop
	}
	out = r.prepare(st, out, false)
	r.push(expected{kind: describe, stmt: st, checked: r.unchecked}, now)
	return appendDescribe(out), drop
}

// rowless: it is known to return nothing, and the upstream does not have it.
func (r *rewrite) rowless(st *statement) bool {
	return st.shape == noRows && st.params != nil && r.current != st
}

// describeAborted: in an aborted transaction the server describes what it has and
// returns no rows, but does not prepare it. What it prepares then is ROLLBACK.
func (r *rewrite) describeAborted(st *statement, out []byte, now time.Time) []byte {
	out = appendParse(out, "ROLLBACK", []byte{0, 0})
	r.expected.push(expected{kind: parse, hidden: true, stmt: st, batch: r.batch})
	r.current = nil
	r.push(expected{kind: describe, stmt: st, remembered: true}, now)
	return appendDescribe(out)
}

// aboutPortal passes a Describe or Close of a portal.
func (r *rewrite) aboutPortal(f frame, k kind, out []byte, now time.Time) ([]byte, verdict) {
	if f.rest > 0 {
		return r.refuse(&nameTooLong, out, now), drop
	}
	r.push(expected{kind: k}, now)
	return appendFrame(out, f), stream
}

func (r *rewrite) execute(f frame, out []byte, now time.Time) ([]byte, verdict) {
	name, _, ok := cutString(f.body)
	if !ok {
		return r.unreadable(f, execute, r.ahead(f, out), now)
	}
	p := r.portal(name)
	if p.stmt == nil {
		out = r.ahead(f, out)
		r.push(expected{kind: execute}, now)
		return appendFrame(out, f), stream
	}
	facts := &p.stmt.facts
	outlived := facts.verb != verbOther && p.batch < r.batch && r.answered < r.batch
	if outlived || !r.sureFacts(*facts) { // the end of its transaction may have closed the portal
		return out, wait
	}
	out = r.ahead(f, out)
	if refusal := r.refusesExecute(p); refusal != nil {
		return r.refuse(refusal, out, now), drop
	}
	if facts.alone() == verbDeallocate && !p.standIn && r.ours(facts.name) {
		out = r.replacePortal(name, out)
		p.standIn = true
	}
	x := expected{kind: execute, stmt: p.stmt, text: p.stmt.fingerprint, features: facts.features, copiesIn: facts.copiesIn}
	r.follow(*facts)
	if !p.standIn {
		r.push(x, now)
		return appendFrame(out, f), stream
	}
	p.ran = true
	r.setPortal(name, p)
	var e effect
	x.tag, e = standsFor(*facts)
	e.seq, e.batch = r.push(x, now), r.batch
	r.statements.expect(e)
	return appendFrame(out, f), stream
}

// replacePortal makes a portal one of the stand-in: it was bound to a DEALLOCATE
// before the client had a statement of that name.
func (r *rewrite) replacePortal(name, out []byte) []byte {
	out = append(append(append(appendHead(out, 'C', len(name)+2), 'P'), name...), 0)
	out = appendParse(out, standIn, []byte{0, 0})
	out = append(append(appendHead(out, 'B', len(name)+8), name...), make([]byte, 8)...)
	for _, k := range []kind{closing, parse, bind} {
		r.expected.push(expected{kind: k, hidden: true, batch: r.batch})
	}
	r.current = nil
	return out
}

// refusesExecute: where a stand-in would succeed and the statement would not.
func (r *rewrite) refusesExecute(p portal) *refusal {
	facts := &p.stmt.facts
	switch v := facts.alone(); {
	case v == verbDiscardAll && r.status() == 'T':
		return &discardInside
	case v == verbDeallocate && p.standIn && !p.ran && !r.ours(facts.name):
		return unknownStatement(facts.name)
	case v == verbExecute && r.ours(facts.name):
		return executeInSQL(facts.name)
	}
	return nil
}

// standsFor returns the tag and effect of a text that is sent as a stand-in.
func standsFor(f sqlFacts) (tag string, e effect) {
	switch f.verb {
	case verbDeallocateAll:
		return "DEALLOCATE ALL", effect{operation: forgetNamed}
	case verbDiscardAll:
		return "DISCARD ALL", effect{operation: forgetNamed}
	}
	return "DEALLOCATE", effect{operation: forget, name: f.name}
}

// close forgets a statement; closing the upstream's unnamed one never fails.
func (r *rewrite) close(f frame, out []byte, now time.Time) ([]byte, verdict) {
	out = r.ahead(f, out)
	name, ok := cutTarget(f.body, 'S')
	if !ok {
		r.closePortal(f.body)
		return r.aboutPortal(f, closing, out, now)
	}
	seq := r.push(expected{kind: closing}, now)
	r.statements.expect(effect{seq: seq, batch: r.batch, operation: forget, name: string(key(name))})
	r.current = nil
	return append(appendHead(out, 'C', 2), 'S', 0), drop
}

// closePortal forgets a portal, also when its Close is skipped: what has failed then
// ends all portals.
func (r *rewrite) closePortal(body []byte) {
	switch name, ok := cutTarget(body, 'P'); {
	case !ok:
	case len(name) == 0:
		r.unnamed = portal{}
	default:
		delete(r.portals, string(key(name)))
	}
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
