package session

import "time"

// queryText is as much of a Query's text as was gathered.
func queryText(f frame) string {
	text, _, ok := cutString(f.body)
	if !ok {
		text = f.body
	}
	return string(text)
}

// query passes a simple Query unless it is about the client's statements. The server forgets the unnamed statement with
// it, also when it fails.
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

// pushQuery expects a Query and what each does: it has the unnamed statement and portal for its own, and drops them.
func (r *rewrite) pushQuery(x expected, facts sqlFacts, now time.Time) (seq uint64) {
	seq = r.push(x, now)
	if facts.copiesIn {
		r.copy.may(seq)
	}
	r.statements.expect(effect{seq: seq, operation: forget, always: true})
	r.portals.remove(nil)
	r.batch.end()
	return seq
}

// refusesQuery: what cannot be sent as it is, and has no stand-in.
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
