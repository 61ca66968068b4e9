package session

import "time"

// maxOpenPortals bounds the named portals of one transaction.
const maxOpenPortals = 4096

// portal is what is known of a portal of the client.
type portal struct {
	stmt *statement // nil: not known, the server decides
	of   portalOf
}

// portalOf says what the upstream's portal was made of.
type portalOf uint8

const (
	theStatement portalOf = iota
	aStandIn              // which does nothing; what the statement does is done here
	aRanStandIn           // the server refuses to run it twice
)

// portals are the portals of one client. None outlives its transaction.
type portals struct {
	named   map[string]portal
	unnamed portal
}

func (p *portals) get(name []byte) portal {
	if len(name) == 0 {
		return p.unnamed
	}
	return p.named[string(key(name))]
}

func (p *portals) set(name []byte, to portal) {
	if len(name) == 0 {
		p.unnamed = to
		return
	}
	if p.named == nil {
		p.named = make(map[string]portal)
	}
	p.named[string(key(name))] = to
}

// fits reports whether there is room for a portal of that name.
func (p *portals) fits(name []byte) bool {
	if len(name) == 0 || len(p.named) < maxOpenPortals {
		return true
	}
	_, known := p.named[string(key(name))]
	return known
}

func (p *portals) remove(name []byte) {
	if len(name) == 0 {
		p.unnamed = portal{}
		return
	}
	delete(p.named, string(key(name)))
}

// forget drops all portals: the transaction that they were made in is over, or has failed.
func (p *portals) forget() {
	clear(p.named)
	p.unnamed = portal{}
}

// bind passes a Bind of the unnamed statement, which it prepares again unless it is the client's
// statement already.
func (r *rewrite) bind(f frame, out []byte, now time.Time) ([]byte, verdict) {
	name, rest, ok := []byte(nil), []byte(nil), false
	to, after, ok := cutString(f.body)
	if ok {
		name, rest, ok = cutString(after)
	}
	if !ok {
		return r.unreadable(f, bind, out, now)
	}
	st := r.statements.lookup(string(key(name)))
	if st == nil {
		return r.refuse(unknownStatement(string(name)), out, now), drop
	}
	out = r.prepare(st, out, true)
	if !r.portals.fits(to) {
		return r.refuse(&manyPortals, out, now), drop
	}
	made := portal{stmt: st}
	if r.batch.unnamed.text == standIn {
		made.of = aStandIn
	}
	r.portals.set(to, made)
	r.push(expected{kind: bind, role: r.batch.unnamed.role(), stmt: st}, now)
	out = appendHead(out, 'B', f.length()-len(name))
	out = append(append(append(out, to...), 0), 0)
	return append(out, rest...), stream
}

func (r *rewrite) execute(f frame, out []byte, now time.Time) ([]byte, verdict) {
	name, _, ok := cutString(f.body)
	if !ok {
		return r.unreadable(f, execute, out, now)
	}
	p := r.portals.get(name)
	if p.stmt == nil {
		r.push(expected{kind: execute}, now)
		return appendFrame(out, f), stream
	}
	if refusal := r.refusesExecute(p); refusal != nil {
		return r.refuse(refusal, r.mustExist(name, out), now), drop
	}
	facts := &p.stmt.facts
	if facts.alone() == verbDeallocate && p.of == theStatement && r.ours(facts.name) {
		out = r.replacePortal(name, r.mustExist(name, out))
		p.of = aStandIn
	}
	x := expected{kind: execute, stmt: p.stmt, text: p.stmt.fingerprint, features: facts.features}
	if p.of == theStatement {
		r.executes(x, *facts, now)
		return appendFrame(out, f), stream
	}
	r.portals.set(name, portal{p.stmt, aRanStandIn})
	var e effect
	x.tag, e = standsFor(*facts)
	e.seq = r.executes(x, *facts, now)
	r.statements.expect(e)
	return appendFrame(out, f), stream
}

// executes notes that an Execute goes upstream, of a portal that we know.
func (r *rewrite) executes(x expected, facts sqlFacts, now time.Time) uint64 {
	seq := r.push(x, now)
	if facts.block != 0 {
		r.batch.block = facts.block
	}
	r.copied = r.copied || facts.copies
	if facts.copiesIn {
		r.copy.may(seq)
	}
	return seq
}

// mustExist appends a Describe that fails as an Execute would, if the portal does not exist any more.
// That we do not know for certain: a COMMIT or a ROLLBACK TO SAVEPOINT may have closed it.
func (r *rewrite) mustExist(portal, out []byte) []byte {
	r.expected.push(expected{kind: describePortal, role: hidden})
	return append(append(append(appendHead(out, 'D', len(portal)+2), 'P'), portal...), 0)
}

// replacePortal binds a portal again, to the stand-in. It was bound to a DEALLOCATE when the client
// had no statement of that name yet.
func (r *rewrite) replacePortal(name, out []byte) []byte {
	out = append(append(append(appendHead(out, 'C', len(name)+2), 'P'), name...), 0)
	out = appendParse(out, standIn, []byte{0, 0})
	out = append(append(appendHead(out, 'B', len(name)+8), name...), make([]byte, 8)...)
	for _, k := range []kind{closing, parse, bind} {
		r.expected.push(expected{kind: k, role: hidden})
	}
	r.batch.unnamed = unnamed{}
	return out
}

// refusesExecute returns the error of an Execute that must not succeed, or nil.
func (r *rewrite) refusesExecute(p portal) *refusal {
	facts := &p.stmt.facts
	switch v := facts.alone(); {
	case v == verbDiscardAll && r.status() == 'T':
		return &discardInside
	case v == verbDeallocate && p.of == aStandIn && !r.ours(facts.name):
		return unknownStatement(facts.name)
	case v == verbExecute && r.ours(facts.name):
		return executeInSQL(facts.name)
	}
	return nil
}

// aboutPortal passes a Describe or Close of a portal.
func (r *rewrite) aboutPortal(f frame, k kind, out []byte, now time.Time) ([]byte, verdict) {
	if f.rest > 0 {
		return r.refuse(&nameTooLong, out, now), drop
	}
	r.push(expected{kind: k}, now)
	return appendFrame(out, f), stream
}

// closePortal forgets a portal. When its Close is skipped that is right too: the error before it
// has ended all portals.
func (r *rewrite) closePortal(body []byte) {
	if name, ok := cutTarget(body, 'P'); ok {
		r.portals.remove(name)
	}
}
