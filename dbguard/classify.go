package dbguard

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
)

// Class is what an error of pgx means for whoever would try again.
type Class uint8

const (
	// Permanent is every other error: to try again would not help, or nothing is
	// known about it. Also the class of nil.
	Permanent Class = iota
	// StaleStatement is a prepared statement that client and server do not agree
	// on: 42P05 (it exists already), 26000 (it does not exist, the unnamed one
	// included) and 0A000 when a cached plan must not change its result type. The
	// statement was not executed.
	StaleStatement
	// NotSent is a connection that was lost, or could not be made, before anything
	// was sent on it.
	NotSent
	// Terminated is 57P01: the server ended the session, on a shutdown or for
	// pg_terminate_backend. What was under way was rolled back, but for a statement
	// that had finished in that moment.
	Terminated
	// TooManyConnections is 53300: no session was made.
	TooManyConnections
	// Conflict is 40001 (serialization failure) and 40P01 (deadlock): the whole
	// transaction was rolled back, and may succeed when it is run again.
	Conflict
	// ConnectionLost is a connection lost after something was sent: whether that
	// has taken effect is not known, unless it was inside a transaction whose
	// COMMIT was not sent.
	ConnectionLost
	// Cancelled is an error of a context, whoever's.
	Cancelled
	// OutcomeUnknown is the class of [*OutcomeUnknownError]: COMMIT was sent and not
	// answered.
	OutcomeUnknown
)

var classNames = [...]string{
	Permanent: "permanent", StaleStatement: "stale statement", NotSent: "not sent", Terminated: "terminated",
	TooManyConnections: "too many connections", Conflict: "conflict", ConnectionLost: "connection lost",
	Cancelled: "cancelled", OutcomeUnknown: "outcome unknown",
}

// String returns the words of the log for c.
func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return "unknown class"
}

// Retried reports whether [Retry] runs fn again after an error of class c.
func (c Class) Retried() bool {
	return c == StaleStatement || c == NotSent || c == Terminated || c == TooManyConnections
}

// RetriedInTx reports whether [RetryTx] runs the whole transaction again after an
// error of class c that came before its COMMIT was sent. ConnectionLost is one of
// them: a server never commits a transaction whose COMMIT it has not seen.
func (c Class) RetriedInTx() bool {
	return c.Retried() || c == Conflict || c == ConnectionLost
}

// Classify returns what err, or what it wraps, means. A context's error wins over
// everything but OutcomeUnknown, and what the server has said over what happened
// to the connection then.
//
// It knows errors, not where they come from: a net.Error of another service is
// ConnectionLost too. [Retry] and [RetryTx] therefore believe it only when their
// connection is closed.
func Classify(err error) Class {
	var unknown *OutcomeUnknownError
	var server *pgconn.PgError
	switch {
	case err == nil:
		return Permanent
	case errors.As(err, &unknown):
		return OutcomeUnknown
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), pgconn.Timeout(err):
		return Cancelled
	case errors.As(err, &server):
		return classifyServer(err, server)
	case pgconn.SafeToRetry(err):
		return classifySafe(err)
	}
	return classifyNetwork(err)
}

func classifyServer(err error, e *pgconn.PgError) Class {
	switch e.Code {
	case "42P05", "26000":
		return StaleStatement
	case "0A000":
		if stalePlan(e) {
			return StaleStatement
		}
	case "57P01":
		return Terminated
	case "53300":
		return TooManyConnections
	case "40001", "40P01":
		return Conflict
	case "57P03": // starting up, shutting down, in recovery: only ever at login
		if connecting(err) {
			return NotSent
		}
	}
	return Permanent
}

// stalePlan tells one 0A000 from the many: messages are translated (lc_messages),
// the name of the C function is not (plancache.c). Poolers and proxies send none.
func stalePlan(e *pgconn.PgError) bool {
	return e.Routine == "RevalidateCachedQuery" || strings.Contains(e.Message, "cached plan must not change result type")
}

func connecting(err error) bool {
	var e *pgconn.ConnectError
	return errors.As(err, &e)
}

// classifySafe looks closer at what pgconn calls safe to retry, because not all of it
// is. A connection that is closed may have been lost one moment before, with this very
// statement: when the answer to a simple Query does not come, pgconn 5.12 closes the
// connection in peekMessage and then reports, from receiveMessage, that it is closed.
// COMMIT is such a Query. And a busy connection is a mistake of the caller's, rows
// that were left open.
func classifySafe(err error) Class {
	switch {
	case errors.Is(err, pgconn.ErrConnClosed):
		return ConnectionLost
	case strings.Contains(err.Error(), "conn busy"): // pgconn has no type for it
		return Permanent
	}
	return NotSent
}

func classifyNetwork(err error) Class {
	var op *net.OpError
	lost := errors.As(err, &op) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
	switch {
	case !lost:
		return Permanent
	case connecting(err):
		return NotSent
	}
	return ConnectionLost
}

// sqlState returns the server's code in err, "" when it is not the server's.
func sqlState(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
