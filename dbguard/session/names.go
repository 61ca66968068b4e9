package session

const (
	// maxName is how many bytes of a protocol name the server compares: its tables of statements
	// and portals have keys of NAMEDATALEN bytes (prepare.c, portalmem.c). Longer names that begin
	// alike are one name to it.
	maxName = 63

	// maxNameBytes bounds the names and fingerprints that mode Pass keeps per session, in bytes;
	// about 4,000 statements.
	maxNameBytes = 1 << 20

	maxPortals = 1000 // named portals that mode Pass keeps; each is at most maxName bytes
)

// seenStatement is a statement that passed.
type seenStatement struct {
	name        string
	fingerprint string
	confirmed   bool // ParseComplete has come
}

// fingerprintOf returns "" when the statement is not known.
func (s *seenStatement) fingerprintOf() string {
	if s == nil {
		return ""
	}
	return s.fingerprint
}

func (s *seenStatement) size() int { return len(s.name) + len(s.fingerprint) + 100 }

// seenNames are the statements and portals that the client's messages make and drop, in mode Pass.
// What the server refuses is undone.
type seenNames struct {
	statements map[string]*seenStatement
	portals    map[string]*seenStatement
	unnamed    *seenStatement
	portal     *seenStatement // the unnamed one
	bytes      int
	confirmed  int // named statements that the server holds
}

// parse notes a Parse. One with a name that exists changes nothing: the server refuses it.
func (n *seenNames) parse(name []byte, fingerprint string) *seenStatement {
	st := &seenStatement{name: string(name), fingerprint: fingerprint}
	if st.name == "" {
		n.unnamed = st
	} else if n.statements[st.name] == nil {
		n.add(st)
	}
	return st
}

// parsed notes ParseComplete.
func (n *seenNames) parsed(st *seenStatement) {
	if st == nil || st.name == "" || st.confirmed {
		return
	}
	st.confirmed = true
	if n.statements[st.name] == st {
		n.confirmed++
	}
}

func (n *seenNames) add(st *seenStatement) {
	if n.bytes+st.size() > maxNameBytes {
		return
	}
	if n.statements == nil {
		n.statements = map[string]*seenStatement{}
	}
	n.statements[st.name] = st
	n.bytes += st.size()
	if st.confirmed {
		n.confirmed++
	}
}

func (n *seenNames) remove(st *seenStatement) {
	if st == nil || n.statements[st.name] != st {
		return
	}
	delete(n.statements, st.name)
	n.bytes -= st.size()
	if st.confirmed {
		n.confirmed--
	}
}

// undo takes back what a message did that the server has refused or skipped.
func (n *seenNames) undo(a awaited) {
	switch {
	case a.typ == 'P' && !a.stmt.confirmed:
		n.remove(a.stmt)
	case a.typ == 'C' && a.stmt != nil && a.stmt.name != "" && n.statements[a.stmt.name] == nil:
		n.add(a.stmt)
	}
}

// forgetAll notes DEALLOCATE ALL or DISCARD ALL.
func (n *seenNames) forgetAll() {
	clear(n.statements)
	n.bytes, n.confirmed = 0, 0
}

func (n *seenNames) statement(name []byte) *seenStatement {
	if len(name) == 0 {
		return n.unnamed
	}
	return n.statements[string(name)]
}

func (n *seenNames) bound(portal []byte) *seenStatement {
	if len(portal) == 0 {
		return n.portal
	}
	return n.portals[string(portal)]
}

func (n *seenNames) bind(portal []byte, st *seenStatement) {
	switch {
	case len(portal) == 0:
		n.portal = st
	case n.portals[string(portal)] != nil || len(n.portals) < maxPortals:
		if n.portals == nil {
			n.portals = map[string]*seenStatement{}
		}
		n.portals[string(portal)] = st
	}
}

// transactionOver forgets the portals. Only cursors WITH HOLD survive a transaction, and the
// protocol cannot make them.
func (n *seenNames) transactionOver() {
	n.portal = nil
	clear(n.portals)
}
