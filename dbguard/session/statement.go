package session

import "bytes"

// maxRemembered bounds the bytes of the statements that one session remembers. A server's only
// bound is its memory; no application comes near this one.
const maxRemembered = 128 << 20

// statementCost is what a statement takes beside its texts, in bytes, estimated: its fingerprint,
// its place in a map.
const statementCost = 600

// statement is a prepared statement as the client knows it.
type statement struct {
	name        string // "" is the client's unnamed statement
	sql         string
	tail        []byte // of the client's Parse: the number of parameter types, and these
	fingerprint string
	facts       sqlFacts

	// What the server has said about it since; nil and 0 before.
	params []byte // body of its ParameterDescription, which has the form of tail
	shape  shape  // of its rows
	row    []byte // body of its RowDescription, where that may change

	counted bool // in statements.bytes
}

// types returns the tail of a Parse that prepares the statement again: the types that the server
// has found, once it has said which. It uses these itself when it plans again
// (RevalidateCachedQuery in plancache.c).
func (st *statement) types() []byte {
	if st.params != nil {
		return st.params
	}
	return st.tail
}

func (st *statement) size() int {
	return statementCost + len(st.name) + len(st.sql) + len(st.tail) + len(st.params) + len(st.row)
}

// operation is what an effect does to the statements.
type operation uint8

const (
	remember operation = iota
	forget
	forgetNamed // all but the unnamed one, as DEALLOCATE ALL
)

// effect is what a message does to the client's statements when it succeeds.
type effect struct {
	seq       uint64 // of the expected reply
	operation operation
	name      string
	statement *statement // of remember
	always    bool       // forget also if the message fails, but not if it is skipped
}

func (e *effect) touches(name string) bool {
	return e.name == name && e.operation != forgetNamed || e.operation == forgetNamed && name != ""
}

// statements are the prepared statements of one client: those that are certain, and what the
// messages that are not answered yet will do to them.
type statements struct {
	certain   map[string]*statement
	tentative []effect // in order of seq
	named     int
	bytes     int // of all statements in certain and tentative
}

// lookup returns the statement of that name as the next message will find it, nil when there is
// none. That is certain although messages before it are not answered yet: they are all of its own
// batch, so when one of them fails the next message is skipped.
func (s *statements) lookup(name string) *statement {
	for i := len(s.tentative) - 1; i >= 0; i-- {
		if e := &s.tentative[i]; e.touches(name) {
			return e.statement
		}
	}
	return s.certain[name]
}

// expect adds the effect of a message that goes upstream.
func (s *statements) expect(e effect) {
	if st := e.statement; st != nil {
		s.bytes += st.size()
		st.counted = true
	}
	s.tentative = append(s.tentative, e)
}

// resolve applies or drops the effects of message seq, which has been answered.
func (s *statements) resolve(seq uint64, succeeded bool) {
	s.discard(seq)
	for len(s.tentative) > 0 && s.tentative[0].seq == seq {
		e := s.shift()
		switch {
		case !succeeded && !e.always:
			s.release(e.statement)
		case !succeeded || e.operation == forget:
			s.release(e.statement)
			s.remove(e.name)
		case e.operation == remember:
			s.remove(e.name)
			s.put(e.statement)
		default:
			s.removeNamed()
		}
	}
}

// discard drops the effects of all messages before seq: they were skipped.
func (s *statements) discard(before uint64) {
	for len(s.tentative) > 0 && s.tentative[0].seq < before {
		s.release(s.shift().statement)
	}
}

// shift removes the oldest effect.
func (s *statements) shift() effect {
	e := s.tentative[0]
	s.tentative[0] = effect{}
	s.tentative = s.tentative[1:]
	if len(s.tentative) == 0 {
		s.tentative = nil
	}
	return e
}

func (s *statements) release(st *statement) {
	if st != nil {
		s.bytes -= st.size()
		st.counted = false
	}
}

func (s *statements) put(st *statement) {
	if s.certain == nil {
		s.certain = make(map[string]*statement)
	}
	s.certain[st.name] = st
	if st.name != "" {
		s.named++
	}
}

func (s *statements) remove(name string) {
	st := s.certain[name]
	if st == nil {
		return
	}
	s.release(st)
	delete(s.certain, name)
	if name != "" {
		s.named--
	}
}

func (s *statements) removeNamed() {
	for name := range s.certain {
		if name != "" {
			s.remove(name)
		}
	}
}

// fits reports whether there is room to remember st.
func (s *statements) fits(st *statement) bool { return s.bytes+st.size() <= maxRemembered }

// learn keeps what the server has said about a statement, unless there is no room for it; then the
// server finds it out each time.
func (s *statements) learn(st *statement, kept *[]byte, body []byte) {
	if st.counted && *kept == nil && s.bytes+len(body) <= maxRemembered {
		*kept = bytes.Clone(body)
		s.bytes += len(*kept)
	}
}
