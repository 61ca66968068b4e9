package session

// A statement that drops the client's prepared statements (DEALLOCATE, DISCARD ALL) must not reach
// the pooler: a server would drop what other clients have there. A stand-in that does nothing is
// sent in its place, and once the server has answered it, the statements are dropped here.

// ours reports whether the client has a statement of that name.
func (r *rewrite) ours(name string) bool { return name != "" && r.statements.lookup(name) != nil }

// dropsOurs reports whether a text does nothing but drop prepared statements of the client.
func (r *rewrite) dropsOurs(f sqlFacts) bool {
	switch f.alone() {
	case verbDeallocateAll, verbDiscardAll:
		return true
	case verbDeallocate:
		return r.ours(f.name)
	}
	return false
}

// textOf returns the text that the upstream prepares for a statement.
func (r *rewrite) textOf(st *statement) string {
	if r.dropsOurs(st.facts) {
		return standIn
	}
	return st.sql
}

// standsFor returns the tag and the effect of a text in whose place the stand-in is sent.
func standsFor(f sqlFacts) (tag string, e effect) {
	switch f.verb {
	case verbDeallocateAll:
		return "DEALLOCATE ALL", effect{operation: forgetNamed}
	case verbDiscardAll:
		return "DISCARD ALL", effect{operation: forgetNamed}
	}
	return "DEALLOCATE", effect{operation: forget, name: f.name}
}
