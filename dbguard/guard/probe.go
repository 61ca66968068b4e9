package guard

import (
	"context"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// probe finds out what is behind a URL, with one session for a server reached
// directly and two for anything else. The error is about reaching it.
func probe(ctx context.Context, config *pgconn.Config) (verdict, error) {
	own, err := dialOwn(ctx, config)
	if err != nil {
		return verdict{}, err
	}
	defer own.close(ctx)
	version := own.conn.ParameterStatus("server_version")
	v := verdict{kind: postgres, reached: true, connected: true}
	if !own.direct || (!own.untranslated && !own.self.Unix()) {
		// A pid that is not the server's, or an address that is not ours:
		// something stands in between, perhaps only a network.
		v = probePooler(ctx, own, config)
	}
	if v.kind != postgres {
		return v, nil
	}
	v.checks = allowsChecks(ctx, own.conn, version)
	v.reason = "PostgreSQL " + version + ", reached directly"
	if !own.untranslated {
		v.reason += "; sessions are found by their label alone: the server does not see this machine's own ports"
	}
	return v, nil
}

// allowsChecks reports whether the server takes
// client_connection_check_interval: since 14, and only where its kernel can
// tell that a client has gone (on 14 that is Linux), so it is tried.
func allowsChecks(ctx context.Context, conn *pgconn.PgConn, version string) bool {
	if major(version) < 14 {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	_, err := conn.Exec(ctx, "set client_connection_check_interval = 1000").ReadAll()
	return err == nil
}

// major returns the major version of a server_version, 0 when it has none.
func major(version string) int {
	digits := strings.FieldsFunc(version, func(r rune) bool { return r < '0' || r > '9' })
	if len(digits) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(digits[0])
	return n
}
