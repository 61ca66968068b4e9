package session

import "time"

// EventKind says what an Event reports.
type EventKind uint8

const (
	Executed   EventKind = iota + 1 // an Execute or Query has ended, well (SQLState empty) or not
	Conflict                        // an error passed that tells of a clash between generations, pools or schemas
	Uncarried                       // Rewrite: the client used what a transaction pooler cannot carry
	Terminated                      // the client said goodbye (Terminate)
)

// Event is something worth counting or logging. It never holds a parameter or a literal.
type Event struct {
	Kind        EventKind
	Fingerprint string        // of the statement it belongs to; empty when not known
	Took        time.Duration // Executed: from when the server could start it to its end
	SQLState    string        // Executed, Conflict: of the ErrorResponse
	Feature     string        // Uncarried: what was used, as one says it: "LISTEN", "advisory lock"
}

// maxEvents bounds what is kept between two calls of TakeEvents; older ones go first.
const maxEvents = 1024

// TakeEvents returns what has happened since the last call, the oldest first; at most 1024 events, the newest. The
// slice is valid until the next call.
func (s *Session) TakeEvents() []Event {
	a := &s.account
	if len(a.events) == 0 {
		return nil
	}
	taken := a.events
	a.events, a.spare = a.spare[:0], taken
	return taken
}

// conflicts are the states of design.md's `conflict` line.
func conflicting(sqlstate string) bool {
	switch sqlstate {
	case "42P05", "26000", "0A000", "57P01", "53300", "40001", "40P01", "55P03":
		return true
	}
	return false
}
