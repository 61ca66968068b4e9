package activity

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devguard/devguard/dbguard/session"
)

// Detail is what a person wants to know of a session that will not go.
type Detail struct {
	PID   int32
	State string // as in pg_stat_activity: "active", "idle in transaction" ...
	Query string // as session.Fingerprint writes it: one line, without literals
	Locks string // "RowExclusiveLock on users, ..."; empty when it holds none
	Waits string // what it waits for, as in wait_event_type and wait_event
}

// detailQuery writes the relations of its own database by name; others stay numbers. It leaves out
// the lock on its own virtual transaction, which every session holds.
const detailQuery = `
select a.pid, coalesce(a.state, ''), coalesce(a.query, ''),
       coalesce((select string_agg(distinct mode || ' on ' || coalesce(relation::regclass::text, locktype), ', ')
                 from pg_catalog.pg_locks l where l.pid = a.pid and l.granted and locktype <> 'virtualxid'), ''),
       coalesce(a.wait_event_type || ': ' || a.wait_event, '')
from pg_catalog.pg_stat_activity a
join unnest($1::int[], $2::bigint[]) as s (pid, start)
  on a.pid = s.pid and (extract(epoch from a.backend_start) * 1000000)::bigint = s.start
order by a.pid`

// Describe says what the sessions are doing; those that are gone are left out.
func Describe(ctx context.Context, conn *pgconn.PgConn, sessions []Session) ([]Detail, error) {
	pids, starts := keys(sessions)
	result := conn.ExecParams(ctx, detailQuery, [][]byte{pids, starts}, nil, nil, nil).Read()
	if result.Err != nil {
		return nil, fmt.Errorf("ask what the sessions do: %w", result.Err)
	}
	var list []Detail
	for _, row := range result.Rows {
		pid, err := strconv.ParseInt(string(row[0]), 10, 32)
		if err != nil {
			return nil, fmt.Errorf("read pg_stat_activity: %w", err)
		}
		list = append(list, Detail{int32(pid), string(row[1]), session.Fingerprint(string(row[2])), string(row[3]), string(row[4])})
	}
	return list, nil
}
