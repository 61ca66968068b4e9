package session

// A statement about the client's prepared statements (DEALLOCATE, DISCARD ALL) must not reach the pooler, which would
// obey it on whatever server it has chosen. A stand-in that does nothing is sent in its place, and what it would do is
// done here once the server has answered that.

// ours reports whether the client has a statement of that name.
func (r *rewrite) ours(name string) bool { return name != "" && r.statements.lookup(name) != nil }

// dropsOurs reports whether a text is a statement about the client's prepared statements and nothing else.
func (r *rewrite) dropsOurs(f sqlFacts) bool {
	switch f.alone() {
	case verbDeallocateAll, verbDiscardAll:
		return true
	case verbDeallocate:
		return r.ours(f.name)
	}
	return false
}

// textOf is what the upstream prepares for a statement.
func (r *rewrite) textOf(st *statement) string {
	if r.dropsOurs(st.facts) {
		return standIn
	}
	return st.sql
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
