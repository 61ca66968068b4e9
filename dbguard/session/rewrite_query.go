package session

import "time"

// queryText returns as much of a Query's text as was gathered.
func queryText(f frame) string {
	text, _, ok := cutString(f.body)
	if !ok {
		text = f.body
	}
	return string(text)
}

// query passes a Query, unless it is about the client's prepared statements.
func (r *rewrite) query(f frame, out []byte, now time.Time) ([]byte, verdict) {
	text := queryText(f)
	facts := readSQL(text)
	x := expected{kind: query, text: Fingerprint(text), features: facts.features}
	if x.refusal = r.refusesQuery(facts); x.refusal != nil {
		r.pushQuery(x, facts, now)
		return appendQuery(out, refuseInQuery), drop
	}
	if r.dropsOurs(facts) {
		var e effect
		x.tag, e = standsFor(facts)
		e.seq = r.pushQuery(x, facts, now)
		r.statements.expect(e)
		return appendQuery(out, standIn), drop
	}
	r.pushQuery(x, facts, now)
	return appendFrame(out, f), stream
}

// pushQuery notes that a Query goes upstream, and what each does, also when it fails: the server
// uses the unnamed statement and portal for it and drops them.
func (r *rewrite) pushQuery(x expected, facts sqlFacts, now time.Time) (seq uint64) {
	seq = r.push(x, now)
	r.copied = r.copied || facts.copies
	if facts.copiesIn {
		r.copy.may(seq)
	}
	r.statements.expect(effect{seq: seq, operation: forget, always: true})
	r.portals.remove(nil)
	r.batch.end()
	return seq
}

// refusesQuery returns the error of a Query that cannot be sent as it is and has no stand-in, or
// nil.
func (r *rewrite) refusesQuery(f sqlFacts) *refusal {
	switch {
	case f.verb == verbExecute && r.ours(f.name):
		return executeInSQL(f.name)
	case f.verb == verbDiscardAll && (f.statements > 1 || r.status() == 'T'):
		return &discardInside
	case f.statements > 1 && (f.verb == verbDeallocateAll || f.verb == verbDeallocate && r.ours(f.name)):
		return &dropTogether
	}
	return nil
}
