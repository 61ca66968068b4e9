package session

import "time"

// EventKind says what an Event reports.
type EventKind uint8

const (
	Executed   EventKind = iota + 1 // an Execute or Query has ended, well (SQLState empty) or not
	Conflict                        // an error of a clash with a generation, the pool or the schema
	Uncarried                       // Rewrite: the client used what a transaction pooler loses
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

// maxEvents bounds the events that are kept between two calls of TakeEvents. When there are more,
// the oldest are dropped.
const maxEvents = 1024

// TakeEvents returns the events since the last call, the oldest first; of more than 1,024, the
// newest. The slice is valid until the next call.
func (s *Session) TakeEvents() []Event {
	a := &s.account
	if len(a.events) == 0 {
		return nil
	}
	taken := a.events
	a.events, a.spare = a.spare[:0], taken
	return taken
}

// conflicting reports whether an SQLSTATE tells of a clash with another generation of the app, with
// the pool or with a changed schema.
func conflicting(sqlstate string) bool {
	switch sqlstate {
	case "42P05", "26000", "0A000", "57P01", "53300", "40001", "40P01", "55P03":
		return true
	}
	return false
}
