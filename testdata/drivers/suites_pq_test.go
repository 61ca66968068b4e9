//go:build suites

package drivers

import (
	"strconv"
	"testing"

	"github.com/devguard/devguard/dbguard/pgtest"
)

// preparePQ does what lib/pq's testdata/postgres does, but for what is about TLS
// and other logins: those a client has with devguard.
func preparePQ(t *testing.T, s *pgtest.Server) []string {
	t.Helper()
	s.CreateRole(t, "pqgo", "s3cr3t", "superuser")
	s.CreateDB(t, "pqgo", "pqgo")
	return []string{
		"PGHOST=localhost", "PGPORT=" + strconv.Itoa(s.Port), "PGUSER=pqgo", "PGPASSWORD=s3cr3t", "PGDATABASE=pqgo", "PGSSLMODE=disable",
	}
}

// preparePQBinary makes lib/pq send parameters with its first message.
func preparePQBinary(t *testing.T, s *pgtest.Server) []string {
	t.Helper()
	return append(preparePQ(t, s), "PQTEST_BINARY_PARAMETERS=1")
}
