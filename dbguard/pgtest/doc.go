// Package pgtest starts throwaway Postgres servers and PgBouncers for tests.
//
// It promises: a server of its own for each Start, on a loopback port, with
// SCRAM passwords, made from a template cluster so that a start takes a tenth
// of a second; everything is stopped and removed by t.Cleanup, and is stopped
// by the kernel when the test binary is killed (Linux). As root the servers run
// as the account postgres, else nobody.
//
// A missing server program skips the test, except when DEVGUARD_TEST_REQUIRE
// (a comma list of postgres, pgbouncer) names it: then the test fails.
package pgtest

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// missing ends the test: what is not installed is skipped unless required.
func missing(t testing.TB, what, why string) {
	t.Helper()
	required := strings.Split(os.Getenv("DEVGUARD_TEST_REQUIRE"), ",")
	if slices.Contains(required, what) {
		t.Fatalf("DEVGUARD_TEST_REQUIRE names %s: %s", what, why)
	}
	t.Skipf("%s: %s", what, why)
}
