package dbguard

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// kind is what is behind a URL, in the words of devguard's log.
type kind string

const (
	direct            kind = "postgres"
	sessionPooler     kind = "session-pooler"
	transactionPooler kind = "transaction-pooler"
	unknownPooler     kind = "unknown"
)

// shares reports whether two transactions of a connection may run on different
// servers. What could not be found out is taken for that: what is done for a
// transaction pooler is right on any server.
func (k kind) shares() bool { return k == transactionPooler || k == unknownPooler }

// finding is what detect found.
type finding struct {
	kind   kind
	reason string
}

// stepLimit bounds each step after the connects: a pool of one server would have the
// second session wait for ever, and a hosted server is 200 ms away.
const stepLimit = time.Second

// detect finds out what is behind a URL: with one session for a server, whose process
// id is the one told at login, and with two for anything else. The error is about the
// first session.
func detect(ctx context.Context, config *pgconn.Config) (finding, error) {
	a, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return finding{}, err
	}
	defer leave(ctx, a)
	home, err := begin(ctx, a)
	if err == nil {
		err = endTx(ctx, a)
	}
	switch {
	case ctx.Err() != nil:
		return finding{}, ctx.Err()
	case err != nil:
		return finding{unknownPooler, "the session did not tell which server it is on"}, nil
	case home == strconv.FormatUint(uint64(a.PID()), 10):
		return finding{direct, "reached directly"}, nil
	}
	b, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return finding{unknownPooler, "a pooler, which refused a second session"}, ctx.Err()
	}
	defer leave(ctx, b)
	return compare(ctx, a, b, home), ctx.Err()
}

// compareRounds is how often two sessions are looked at: a pooler that hands out its
// servers in turn may give the first its own back once or twice.
const compareRounds = 3

// compare tells how two sessions use servers: while b is in a transaction, a is looked
// at, which was on home. In session mode each stays on its own.
func compare(ctx context.Context, a, b *pgconn.PgConn, home string) finding {
	for range compareRounds {
		onB, err := begin(ctx, b)
		if err != nil {
			return starved(ctx, a)
		}
		onA, err := begin(ctx, a)
		switch {
		case pgconn.Timeout(err):
			return finding{transactionPooler, "its only free server was taken by another client between two transactions"}
		case err != nil:
			return cutOff
		case onB == home || onA != home:
			return finding{transactionPooler, "a client's transactions move between servers"}
		}
		if endTx(ctx, a) != nil || endTx(ctx, b) != nil {
			return cutOff
		}
	}
	return finding{sessionPooler, "one server for each client"}
}

var cutOff = finding{unknownPooler, "a pooler, and the look at it was cut off"}

// starved is what it means that b got no server: if a has one all the same, it is a's
// own.
func starved(ctx context.Context, a *pgconn.PgConn) finding {
	if _, err := begin(ctx, a); err != nil {
		return finding{unknownPooler, "a pooler, and no server was free to find out more"}
	}
	return finding{sessionPooler, "one server for each client, and none is free"}
}

// begin opens a transaction and returns the process id of the server that has it.
func begin(ctx context.Context, conn *pgconn.PgConn) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	results, err := conn.Exec(ctx, "begin; select pg_catalog.pg_backend_pid()").ReadAll()
	if err != nil {
		return "", err
	}
	last := results[len(results)-1]
	if len(last.Rows) != 1 || len(last.Rows[0]) != 1 {
		return "", errors.New("no process id came back")
	}
	return string(last.Rows[0][0]), nil
}

func endTx(ctx context.Context, conn *pgconn.PgConn) error {
	ctx, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	_, err := conn.Exec(ctx, "commit").ReadAll()
	return err
}

// leave ends a session that may be inside a transaction, also when ctx has ended.
func leave(ctx context.Context, conn *pgconn.PgConn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stepLimit)
	defer cancel()
	_ = conn.Close(ctx) // the session ends with the connection
}
