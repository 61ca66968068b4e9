package session

import "time"

// Snapshot is one session as pg_stat_activity would show it. It shares nothing with the session.
type Snapshot struct {
	State       string    // active, idle, idle in transaction, idle in transaction (aborted)
	StateChange time.Time // when State became what it is; zero before the first message
	QueryStart  time.Time // of Query
	XactStart   time.Time // zero outside a transaction
	Query       string    // fingerprint of the running or last statement
	Prepared    int       // named statements of the client that we remember, see maxNameBytes
	ClientBytes uint64    // taken from the client
	ServerBytes uint64    // taken from the upstream
}

// Snapshot says how the session stands.
func (s *Session) Snapshot() Snapshot {
	p := s.mode.progress()
	a := &s.account
	return Snapshot{
		State: stateName(p, a.status), StateChange: a.stateChange, QueryStart: a.queryStart, XactStart: a.xactStart,
		Query: a.query, Prepared: p.prepared,
		ClientBytes: a.clientBytes, ServerBytes: a.serverBytes,
	}
}

func stateName(p progress, status byte) string {
	switch {
	case p.busy() || p.batch != noBatch:
		return "active"
	case status == 'T':
		return "idle in transaction"
	case status == 'E':
		return "idle in transaction (aborted)"
	}
	return "idle"
}
