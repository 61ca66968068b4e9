package session

import "time"

// Snapshot is one session as pg_stat_activity would show it. It shares nothing with the session.
type Snapshot struct {
	State       string    // active, idle, idle in transaction, idle in transaction (aborted)
	StateChange time.Time // when State became what it is; zero before the first message
	QueryStart  time.Time // of Query
	XactStart   time.Time // zero outside a transaction
	Query       string    // fingerprint of the running or last statement
	Prepared    int       // named statements that the client holds; those beyond the bound of memory are not counted
	Queries     uint64    // Execute and Query messages ended
	Errors      uint64    // ErrorResponses
	ClientBytes uint64    // taken from the client
	ServerBytes uint64    // taken from the upstream
}

// Snapshot says how the session stands.
func (s *Session) Snapshot() Snapshot {
	p := s.mode.progress()
	a := &s.account
	return Snapshot{
		State: stateName(p, a.status), StateChange: a.stateChange, QueryStart: a.queryStart, XactStart: a.xactStart,
		Query: a.query, Prepared: p.prepared, Queries: a.queries, Errors: a.errors,
		ClientBytes: a.clientBytes, ServerBytes: a.serverBytes,
	}
}

func stateName(p progress, status byte) string {
	switch {
	case p.busy || p.batch != noBatch:
		return "active"
	case status == 'T':
		return "idle in transaction"
	case status == 'E':
		return "idle in transaction (aborted)"
	}
	return "idle"
}

// account is what a session has to tell, whatever its mode. The mode writes it through the methods below.
type account struct {
	status      byte // of the last ReadyForQuery that the client was shown: I, T, E
	cut         bool // the client is in the middle of a message that streams to the upstream
	active      bool
	stateChange time.Time
	queryStart  time.Time
	xactStart   time.Time
	query       string
	queries     uint64
	readies     uint64 // ReadyForQuery messages
	errors      uint64
	clientBytes uint64
	serverBytes uint64

	events, spare []Event
}

// forwarded notes that a message which expects a reply goes upstream.
func (a *account) forwarded(now time.Time) {
	if a.active {
		return
	}
	a.active, a.stateChange = true, now
	if a.status == 'I' {
		a.xactStart = now
	}
}

// running notes that the server works on this statement since then.
func (a *account) running(fingerprint string, since time.Time) {
	a.query, a.queryStart = fingerprint, since
}

// executed notes the end of an Execute or a Query; sqlstate is empty unless it failed.
func (a *account) executed(fingerprint string, took time.Duration, sqlstate string) {
	a.queries++
	a.emit(Event{Kind: Executed, Fingerprint: fingerprint, Took: max(took, 0), SQLState: sqlstate})
}

// failed notes an ErrorResponse and the statement that it belongs to.
func (a *account) failed(fingerprint, sqlstate string) {
	a.errors++
	if conflicting(sqlstate) {
		a.emit(Event{Kind: Conflict, Fingerprint: fingerprint, SQLState: sqlstate})
	}
}

// ready notes a ReadyForQuery that the client sees; more: other messages are still to be answered.
func (a *account) ready(status byte, more bool, now time.Time) {
	a.status = status
	a.readies++
	if status == 'I' {
		a.xactStart = time.Time{}
	}
	switch {
	case !more:
		a.active, a.stateChange = false, now
	case status == 'I':
		a.xactStart = now
	}
}

func (a *account) emit(e Event) {
	if len(a.events) == maxEvents {
		a.events = a.events[:copy(a.events, a.events[maxEvents/2:])]
	}
	a.events = append(a.events, e)
}
