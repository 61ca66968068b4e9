package session

import "time"

// account is what a session knows for Snapshot and TakeEvents, whatever its mode. The mode writes
// it through the methods below.
type account struct {
	status      byte // of the last ReadyForQuery that the client was shown: I, T, E
	cut         bool // the client is in the middle of a message that streams to the upstream
	active      bool
	stateChange time.Time
	queryStart  time.Time
	xactStart   time.Time
	query       string
	readies     uint64 // ReadyForQuery messages
	clientBytes uint64
	serverBytes uint64

	events, spare []Event
}

// forwarded notes a message that goes upstream and will be answered.
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
	a.emit(Event{Kind: Executed, Fingerprint: fingerprint, Took: max(took, 0), SQLState: sqlstate})
}

// failed notes an ErrorResponse and the statement that it belongs to.
func (a *account) failed(fingerprint, sqlstate string) {
	if conflicting(sqlstate) {
		a.emit(Event{Kind: Conflict, Fingerprint: fingerprint, SQLState: sqlstate})
	}
}

// ready notes a ReadyForQuery that the client is shown. more says that other messages are still to
// be answered.
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
