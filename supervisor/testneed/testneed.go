// Package testneed is for tests that need what not every machine has (a server program,
// root, a pseudo-terminal), or a thread of its own. It is imported by tests alone.
//
// A test that misses something is skipped under the name of what it misses, except when
// DEVGUARD_TEST_REQUIRE (names with commas between them) has that name: then it fails.
// testdata/check.sh requires every name that its kind of machine can have, and fails on a
// skip without a name, so that no test is left out unseen.
package testneed

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// Skip ends the test for want of name; why is what was found instead.
func Skip(t testing.TB, name string, why any) {
	t.Helper()
	if slices.Contains(strings.Split(os.Getenv("DEVGUARD_TEST_REQUIRE"), ","), name) {
		t.Fatalf("DEVGUARD_TEST_REQUIRE names %s: %v", name, why)
	}
	t.Skipf("needs %s: %v", name, why)
}

// Root skips the test unless it is run by root.
func Root(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		Skip(t, "root", "this is another user")
	}
}
