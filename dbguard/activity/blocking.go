package activity

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devguard/devguard/dbguard/session"
)

// Blocker is a session that holds a lock for which others wait, itself waiting for none.
type Blocker struct {
	PID             int32  // 0: a prepared transaction, which has no session
	User            string // "" when it has none
	ApplicationName string // "" also when the session is of a role whose sessions we may not see
	State           string // likewise: "active", "idle in transaction" ...
	Query           string // likewise: as session.Fingerprint writes it
	For             time.Duration
}

// blockingQuery looks at the sessions of the asking role that are not older than $1 seconds and wait
// for a lock. pg_blocking_pids also names those that are merely before them in the queue: who
// waits is not told of, and neither is another of the young sessions, which is of the same program.
const blockingQuery = `
with young as (
  select pid, wait_event_type = 'Lock' as waits from pg_catalog.pg_stat_activity
  where datname = pg_catalog.current_database() and usename = current_user
    and backend_start > pg_catalog.statement_timestamp() - pg_catalog.make_interval(secs => $1::float8)
    and application_name not like 'devguard%' and pid <> all ($2::int[])
), blockers as (
  select distinct pg_catalog.unnest(pg_catalog.pg_blocking_pids(pid)) as pid from young where waits
)
select b.pid, coalesce(a.usename, ''), coalesce(a.application_name, ''), coalesce(a.state, ''),
       case when a.state is null then '' else a.query end,
       coalesce(extract(epoch from pg_catalog.clock_timestamp() - coalesce(a.xact_start, a.state_change, a.backend_start)), 0)::bigint
from blockers b left join pg_catalog.pg_stat_activity a on a.pid = b.pid
where a.wait_event_type is distinct from 'Lock' and b.pid not in (select pid from young)
order by b.pid`

// Blocking returns who keeps those sessions of conn's role and database from a lock that began
// within the last while and have none of the pids others, nor a name of devguard's.
func Blocking(ctx context.Context, conn *pgconn.PgConn, while time.Duration, others []uint32) ([]Blocker, error) {
	var pids array
	for _, pid := range others {
		pids = append(pids, strconv.FormatUint(uint64(pid), 10))
	}
	seconds := strconv.FormatFloat(while.Seconds(), 'f', 3, 64)
	result := conn.ExecParams(ctx, blockingQuery, [][]byte{[]byte(seconds), pids.text()}, nil, nil, nil).Read()
	if result.Err != nil {
		return nil, fmt.Errorf("ask who holds a lock: %w", result.Err)
	}
	var list []Blocker
	for _, row := range result.Rows {
		pid, err := strconv.ParseInt(string(row[0]), 10, 32)
		if err != nil {
			return nil, fmt.Errorf("read pg_stat_activity: %w", err)
		}
		age, err := strconv.ParseInt(string(row[5]), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("read pg_stat_activity: %w", err)
		}
		list = append(list, Blocker{
			PID: int32(pid), User: string(row[1]), ApplicationName: string(row[2]), State: string(row[3]),
			Query: session.Fingerprint(string(row[4])), For: time.Duration(age) * time.Second,
		})
	}
	return list, nil
}
