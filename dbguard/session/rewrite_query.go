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

// query passes a simple Query unless it is about the client's statements. The
// server forgets the unnamed statement with it, also when it fails.
func (r *rewrite) query(f frame, out []byte, now time.Time) ([]byte, verdict) {
	text := queryText(f)
	facts := readSQL(text)
	if !r.sureFacts(facts) {
		return out, wait
	}
	out = r.ahead(f, out)
	x := expected{kind: query, text: Fingerprint(text), features: facts.features, copiesIn: facts.copiesIn}
	r.follow(facts)
	if x.refusal = r.refusesQuery(facts); x.refusal != nil {
		r.pushQuery(x, effect{}, now)
		return appendQuery(out, refuseInQuery), drop
	}
	if v := facts.alone(); v == verbDeallocateAll || v == verbDiscardAll || v == verbDeallocate && r.ours(facts.name) {
		var e effect
		x.tag, e = standsFor(facts)
		r.pushQuery(x, e, now)
		return appendQuery(out, standIn), drop
	}
	r.pushQuery(x, effect{}, now)
	return appendFrame(out, f), stream
}

// pushQuery expects a Query, of which e is what it does besides.
func (r *rewrite) pushQuery(x expected, e effect, now time.Time) {
	batch := r.batch
	seq := r.push(x, now)
	if x.tag != "" {
		e.seq, e.batch = seq, batch
		r.statements.expect(e)
	}
	r.statements.expect(effect{seq: seq, batch: batch, operation: forget, always: true})
	r.unnamed = portal{} // a Query has it for its own statements, which close it
	r.endBatch()
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
