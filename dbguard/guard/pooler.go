package guard

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// probeRounds is how often two sessions are looked at: a pooler that hands its
// servers out in turn may give the first its own back once or twice.
const probeRounds = 3

// pair is the two sessions of a probe, a and b. a has prepared a statement on
// the server home; b is inside a transaction while a is looked at.
type pair struct {
	a, b      *pgconn.PgConn
	statement string
	home      string
	seen      []string // servers that a was on
}

// probePooler tells a session pooler from a transaction pooler, and both from
// a server whose address is translated on the way (docs/postgres.md): in
// transaction mode a session's transactions run on servers that are shared, so
// that a second session is seen on a server of the first, or the first moves.
func probePooler(ctx context.Context, own *ownConn, config *pgconn.Config) verdict {
	b, err := connect(ctx, config)
	if err != nil {
		return unknown.verdict("something between here and the server pools sessions, or translates addresses; a second session was refused")
	}
	defer closeConn(ctx, b)
	p := &pair{a: own.conn, b: b, statement: "devguard_" + rand.Text()}
	how, err := p.look(ctx)
	switch {
	case errors.Is(err, errStarved):
		return unknown.verdict("something pools sessions there, and no server was free to find out how")
	case err != nil:
		return unknown.verdict("something between here and the server pools sessions, and the probe was cut off")
	case how != ownServers:
		return transactionPooler.verdict("a transaction pooler: " + string(how))
	case own.direct:
		return verdict{kind: postgres, reached: true, connected: true}
	}
	return sessionPooler.verdict("a session pooler: one server for each client")
}

// errStarved says that neither session got a server in time.
var errStarved = errors.New("no server was free")

// sharing says how two sessions use servers; those of its values that are
// neither of the two below describe how they share them.
type sharing string

const (
	undecided  sharing = ""
	ownServers sharing = "each has its own"
)

// look returns how the two sessions use servers.
func (p *pair) look(ctx context.Context) (sharing, error) {
	if err := p.prepare(ctx); err != nil {
		return undecided, err
	}
	for range probeRounds {
		if how, err := p.round(ctx); how != undecided || err != nil {
			return how, err
		}
	}
	return ownServers, p.forget(ctx, p.a)
}

// prepare makes the statement, and remembers on which server.
func (p *pair) prepare(ctx context.Context) (err error) {
	if p.home, err = begin(ctx, p.a); err != nil {
		return err
	}
	p.seen = []string{p.home}
	step, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	if _, err := p.a.Prepare(step, p.statement, "select 1", nil); err != nil {
		return err
	}
	return commit(ctx, p.a)
}

// round opens a transaction on b, looks where a is now, and ends it.
func (p *pair) round(ctx context.Context) (how sharing, err error) {
	on, err := begin(ctx, p.b)
	if pgconn.Timeout(err) {
		// b waits for a server. If a has one all the same, it is a's own.
		if _, err := begin(ctx, p.a); err != nil {
			return undecided, errStarved
		}
		return ownServers, errors.Join(commit(ctx, p.a), p.forget(ctx, p.a))
	}
	if err != nil {
		return undecided, err
	}
	now, err := begin(ctx, p.a)
	if pgconn.Timeout(err) { // a waits for the server that b holds: a pool of one
		return "its only server was taken by another client between two transactions", errors.Join(p.forget(ctx, p.b), commit(ctx, p.b))
	}
	if err != nil {
		return undecided, err
	}
	if slices.Contains(p.seen, on) || !slices.Contains(p.seen, now) {
		how = "a client's transactions move between servers, where " + p.survived(ctx)
		if on == p.home {
			err = p.forget(ctx, p.b)
		}
	}
	p.seen = append(p.seen, now)
	if now == p.home && how != undecided {
		err = errors.Join(err, p.forget(ctx, p.a))
	}
	return how, errors.Join(err, commit(ctx, p.a), commit(ctx, p.b))
}

// survived says whether the statement of a is known where a is now. In a
// transaction that fails, which is rolled back by the commit that follows.
func (p *pair) survived(ctx context.Context) sharing {
	ctx, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	if p.a.ExecPrepared(ctx, p.statement, nil, nil, nil).Read().Err != nil {
		return "prepared statements are lost"
	}
	return "it makes prepared statements follow"
}

// forget closes the statement through conn, with the protocol's Close: some
// poolers refuse DEALLOCATE. Closing what is not there is no error.
func (p *pair) forget(ctx context.Context, conn *pgconn.PgConn) error {
	ctx, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	return conn.Deallocate(ctx, p.statement)
}

// begin opens a transaction and returns the pid of the server that has it.
func begin(ctx context.Context, conn *pgconn.PgConn) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	results, err := conn.Exec(ctx, "begin; select pg_catalog.pg_backend_pid()").ReadAll()
	if err != nil {
		return "", fmt.Errorf("begin: %w", err)
	}
	last := results[len(results)-1]
	if len(last.Rows) != 1 {
		return "", errors.New("begin: no pid came back")
	}
	return strings.TrimSpace(string(last.Rows[0][0])), nil
}

// commit ends the transaction of conn, whatever state it is in.
func commit(ctx context.Context, conn *pgconn.PgConn) error {
	ctx, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	_, err := conn.Exec(ctx, "commit").ReadAll()
	return err
}
