package activity

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"
)

// terminateQuery signals all sessions and waits for none. With a timeout, pg_terminate_backend
// would wait for one session after the other (100 ms each, measured on 15).
const terminateQuery = `
select a.pid, pg_catalog.pg_terminate_backend(a.pid)
from pg_catalog.pg_stat_activity a
join unnest($1::int[], $2::bigint[]) as s (pid, start)
  on a.pid = s.pid and (extract(epoch from a.backend_start) * 1000000)::bigint = s.start
where a.pid <> pg_backend_pid()`

// Terminate ends those of the sessions that still exist, and returns how many were told to end;
// they are gone a little later. When the role may not end one of them, none is ended and the error
// says so (42501).
func Terminate(ctx context.Context, conn *pgconn.PgConn, sessions []Session) (int, error) {
	if len(sessions) == 0 {
		return 0, nil
	}
	pids, starts := keys(sessions)
	result := conn.ExecParams(ctx, terminateQuery, [][]byte{pids, starts}, nil, nil, nil).Read()
	if result.Err != nil {
		return 0, fmt.Errorf("terminate %d sessions: %w", len(sessions), result.Err)
	}
	told := 0
	for _, row := range result.Rows {
		if len(row) == 2 && string(row[1]) == "t" {
			told++
		}
	}
	return told, nil
}

// keys returns two arrays, the pids and the starts of sessions.
func keys(sessions []Session) (pids, starts []byte) {
	var p, s array
	for _, one := range sessions {
		p = append(p, strconv.Itoa(int(one.PID)))
		s = append(s, strconv.FormatInt(one.BackendStart, 10))
	}
	return p.text(), s.text()
}
