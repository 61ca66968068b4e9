package activity

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// Session is one client's session in pg_stat_activity.
type Session struct {
	PID             int32
	BackendStart    int64          // microseconds since 1970; with PID it names the session for good
	Client          netip.AddrPort // client_addr and client_port; the zero value over a Unix socket
	ApplicationName string
}

// Unix reports whether the session came over a Unix socket.
func (s Session) Unix() bool { return !s.Client.IsValid() }

// Filter chooses sessions: those that match any of its parts.
type Filter struct {
	Labels  []string         // application_name starts with one of these, all of one length
	Clients []netip.AddrPort // client_addr and client_port are one of these
	Skip    [][2]string      // not those in this database as this role: somebody else reports them
}

// sessions is the head of every query. backend_start is asked for in whole microseconds: that is
// what a timestamp holds, and its text would depend on the session's settings. A row without a
// client_port is of a worker of the server, or not ours to see.
const sessions = `
select pid, (extract(epoch from backend_start) * 1000000)::bigint, coalesce(host(client_addr), ''), client_port, application_name
from pg_catalog.pg_stat_activity
where client_port is not null and (`

// findQuery compares addresses as inet, which has one form for each; text has many.
const findQuery = sessions + `pid <> pg_backend_pid()
  and (substr(application_name, 1, $2::int) = any ($1::text[])
       or (client_addr, client_port) in (select a::inet, p::int from unnest($3::text[], $4::text[]) as u (a, p)))
  and (datname, usename) not in (select d, r from unnest($5::text[], $6::text[]) as v (d, r)))`

// Find returns the sessions that the filter chooses.
func Find(ctx context.Context, conn *pgconn.PgConn, f Filter) ([]Session, error) {
	var labels, addrs, ports, databases, roles array
	length := 0
	for _, label := range f.Labels {
		labels, length = append(labels, label), len(label)
	}
	for _, c := range f.Clients {
		addrs = append(addrs, c.Addr().WithZone("").String())
		ports = append(ports, strconv.Itoa(int(c.Port())))
	}
	for _, s := range f.Skip {
		databases, roles = append(databases, s[0]), append(roles, s[1])
	}
	return query(ctx, conn, findQuery, labels.text(), []byte(strconv.Itoa(length)),
		addrs.text(), ports.text(), databases.text(), roles.text())
}

// Me returns the session of conn itself, as the server sees it.
func Me(ctx context.Context, conn *pgconn.PgConn) (Session, error) {
	found, err := query(ctx, conn, sessions+`pid = pg_backend_pid())`)
	if err != nil {
		return Session{}, err
	}
	if len(found) != 1 {
		return Session{}, errors.New("the server does not list our own session")
	}
	return found[0], nil
}

// query runs one of the queries on sessions.
func query(ctx context.Context, conn *pgconn.PgConn, sql string, args ...[]byte) ([]Session, error) {
	result := conn.ExecParams(ctx, sql, args, nil, nil, nil).Read()
	if result.Err != nil {
		return nil, fmt.Errorf("ask for the sessions: %w", result.Err)
	}
	found := make([]Session, 0, len(result.Rows))
	for _, row := range result.Rows {
		s, err := readSession(row)
		if err != nil {
			return nil, fmt.Errorf("read pg_stat_activity: %w", err)
		}
		found = append(found, s)
	}
	return found, nil
}

// readSession reads a row in text format.
func readSession(row [][]byte) (Session, error) {
	if len(row) != 5 {
		return Session{}, fmt.Errorf("a row of %d columns", len(row))
	}
	pid, err := strconv.ParseInt(string(row[0]), 10, 32)
	if err != nil {
		return Session{}, err
	}
	start, err := strconv.ParseInt(string(row[1]), 10, 64)
	if err != nil {
		return Session{}, err
	}
	s := Session{PID: int32(pid), BackendStart: start, ApplicationName: string(row[4])}
	if len(row[2]) == 0 {
		return s, nil // a Unix socket: client_port is -1
	}
	addr, err := netip.ParseAddr(string(row[2]))
	if err != nil {
		return Session{}, err
	}
	port, err := strconv.ParseUint(string(row[3]), 10, 16)
	if err != nil {
		return Session{}, err
	}
	s.Client = netip.AddrPortFrom(addr.Unmap().WithZone(""), uint16(port))
	return s, nil
}

// array is the elements of a text[].
type array []string

// text returns the array as Postgres reads it.
func (a array) text() []byte {
	var b strings.Builder
	b.WriteByte('{')
	for i, s := range a {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`)
	}
	b.WriteByte('}')
	return []byte(b.String())
}
