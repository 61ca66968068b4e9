package session

import "slices"

// maxRead is how many bytes of a query text are looked at.
const maxRead = 64 << 10

// verb says which statement about prepared statements a text holds.
type verb uint8

const (
	verbOther verb = iota
	verbDeallocate
	verbDeallocateAll
	verbDiscardAll
	verbExecute // EXECUTE, also in EXPLAIN and CREATE TABLE AS
)

// feature is a part of a session's state that a transaction pooler does not carry from one
// transaction to the next. Values can be combined.
type feature uint8

// The features that are noticed.
const (
	featureListen feature = 1 << iota
	featureSet
	featureAdvisoryLock
	featureTempTable
	featurePrepare
	featureHoldCursor
)

// String returns the feature as SQL calls it; of several, the first.
func (f feature) String() string {
	for _, n := range [...]struct {
		f    feature
		name string
	}{
		{featureListen, "LISTEN"}, {featureSet, "SET"}, {featureAdvisoryLock, "session advisory lock"},
		{featureTempTable, "temporary table"}, {featurePrepare, "PREPARE"}, {featureHoldCursor, "cursor WITH HOLD"},
	} {
		if f&n.f != 0 {
			return n.name
		}
	}
	return ""
}

// sqlFacts is what readSQL has found. What is not certain is verbOther.
type sqlFacts struct {
	statements int     // not empty ones; 2 stands for more
	verb       verb    // of the first statement that has one; ALL goes before a name
	name       string  // of verbDeallocate and verbExecute, folded as SQL does
	block      byte    // T or I when the text begins or ends a transaction block, else 0
	copies     bool    // may hold a COPY
	copiesIn   bool    // may hold COPY FROM STDIN
	unfixed    bool    // a FETCH or EXECUTE: what it returns is found out when it runs
	features   feature // a set
}

// alone returns the verb of a text that is exactly one statement.
func (f sqlFacts) alone() verb {
	if f.statements != 1 {
		return verbOther
	}
	return f.verb
}

// readSQL looks at the first 64 KiB of a query text.
func readSQL(text string) sqlFacts {
	var f sqlFacts
	if len(text) > maxRead {
		text = text[:maxRead]
		f.block, f.copies, f.copiesIn, f.statements = 'T', true, true, 1 // the rest may hold anything
	}
	r := sqlReader{lex: lexer{text: text}, facts: &f}
	for r.advance(); r.now.kind != tokenEnd; r.advance() {
		if r.now.symbol(';') {
			continue
		}
		f.statements = min(f.statements+1, 2)
		r.statement()
		for !r.ended() {
			r.expression()
			r.advance()
		}
	}
	return f
}

// sqlReader walks over the tokens of a text, statement by statement.
type sqlReader struct {
	lex   lexer
	now   token
	prev  token
	facts *sqlFacts
}

func (r *sqlReader) advance() { r.prev, r.now = r.now, r.lex.next() }

// ended reports whether the statement ends here.
func (r *sqlReader) ended() bool { return r.now.kind == tokenEnd || r.now.symbol(';') }

// take moves on if the token is the keyword word.
func (r *sqlReader) take(word string) bool {
	if !r.now.is(word) {
		return false
	}
	r.advance()
	return true
}

// statement reads the beginning of a statement, as far as it is of interest.
func (r *sqlReader) statement() {
	switch {
	case r.now.is("begin"), r.now.is("start"):
		r.facts.block = 'T'
	case r.take("commit"), r.take("end"), r.take("rollback"), r.take("abort"):
		r.end()
	case r.take("deallocate"):
		r.deallocate()
	case r.take("discard"):
		if r.take("all") && r.ended() {
			r.found(verbDiscardAll, "")
		}
	case r.take("execute"):
		r.facts.unfixed = true
		r.execute()
	case r.now.is("fetch"):
		r.facts.unfixed = true
	case r.take("explain"):
		r.explain()
	case r.take("prepare"):
		if !r.now.is("transaction") {
			r.facts.features |= featurePrepare
		}
	case r.take("listen"):
		r.facts.features |= featureListen
	case r.take("set"):
		r.set()
	case r.take("create"):
		r.create()
	case r.take("declare"):
		r.declare()
	case r.take("copy"):
		r.copy()
	}
}

// found keeps the verb that matters most: one that drops all prepared statements, else the first.
func (r *sqlReader) found(v verb, name string) {
	all := v == verbDeallocateAll || v == verbDiscardAll
	if r.facts.verb == verbOther || all && r.facts.name != "" {
		r.facts.verb, r.facts.name = v, name
	}
}

// deallocate reads DEALLOCATE [PREPARE] { name | ALL }; prepare may be the name.
func (r *sqlReader) deallocate() {
	if r.take("prepare") && r.ended() {
		r.found(verbDeallocate, "prepare")
		return
	}
	target := r.now
	r.advance()
	if !r.ended() {
		return
	}
	if target.is("all") {
		r.found(verbDeallocateAll, "")
	} else if name, ok := target.ident(); ok {
		r.found(verbDeallocate, name)
	}
}

func (r *sqlReader) execute() {
	if name, ok := r.now.ident(); ok {
		r.found(verbExecute, name)
	}
}

func (r *sqlReader) explain() {
	for !r.ended() {
		if r.take("execute") {
			r.execute()
			return
		}
		if r.now.is("select") || r.now.is("with") || r.now.is("create") {
			return
		}
		r.advance()
	}
}

var carried = []string{"time", "timezone", "datestyle", "client_encoding", "application_name", "standard_conforming_strings"}

// set reads SET. It passes over what lasts no longer than the transaction, and over parameters that
// the server reports: PgBouncer and other poolers carry these.
func (r *sqlReader) set() {
	if r.now.is("local") || r.now.is("transaction") || r.now.is("constraints") || r.now.is("names") {
		return
	}
	if r.take("session") && r.now.symbol('=') {
		r.facts.features |= featureSet
		return
	}
	if slices.ContainsFunc(carried, r.now.is) {
		return
	}
	r.facts.features |= featureSet
}

// create reads as far as TEMP, and for tables looks for ON COMMIT DROP.
func (r *sqlReader) create() {
	if r.take("or") {
		r.take("replace")
	}
	_ = r.take("local") || r.take("global")
	if !r.take("temp") && !r.take("temporary") {
		return
	}
	for !r.ended() {
		if r.prev.is("commit") && r.now.is("drop") {
			return
		}
		r.expression()
		r.advance()
	}
	r.facts.features |= featureTempTable
}

// end reads the rest of COMMIT or ROLLBACK.
func (r *sqlReader) end() {
	for !r.ended() {
		if r.now.is("to") || r.now.is("prepared") || r.prev.is("and") && r.now.is("chain") {
			return
		}
		r.advance()
	}
	r.facts.block = 'I'
}

func (r *sqlReader) copy() {
	r.facts.copies = true
	for !r.ended() {
		if r.prev.is("from") && r.now.is("stdin") {
			r.facts.copiesIn = true
			return
		}
		r.advance()
	}
}

func (r *sqlReader) declare() {
	for !r.ended() {
		if r.take("for") {
			return
		}
		if r.prev.is("with") && r.now.is("hold") {
			r.facts.features |= featureHoldCursor
			return
		}
		r.advance()
	}
}

// expression looks at a token inside a statement.
func (r *sqlReader) expression() {
	switch now := r.now; {
	case now.kind != tokenWord:
	case now.is("execute") && r.prev.is("as"):
		r.advance()
		r.execute()
	case r.prev.is("into") && (now.is("temp") || now.is("temporary")):
		r.facts.features |= featureTempTable
	case now.is("set_config"):
		r.setConfig()
	case now.is("pg_advisory_lock"), now.is("pg_advisory_lock_shared"),
		now.is("pg_try_advisory_lock"), now.is("pg_try_advisory_lock_shared"):
		if r.advance(); r.now.symbol('(') {
			r.facts.features |= featureAdvisoryLock
		}
	}
}

// setConfig reads the third argument of set_config(name, value, is_local).
func (r *sqlReader) setConfig() {
	if r.advance(); !r.now.symbol('(') {
		return
	}
	depth, commas := 1, 0
	for depth > 0 && !r.ended() {
		r.advance()
		switch {
		case r.now.symbol('('):
			depth++
		case r.now.symbol(')'):
			depth--
		case r.now.symbol(',') && depth == 1:
			commas++
		case commas == 2 && r.now.is("false"):
			r.facts.features |= featureSet
		}
	}
}
