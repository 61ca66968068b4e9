package supervisor

import (
	"os"
	"testing"

	"github.com/devguard/devguard/supervisor/front"
)

// TestMain is two programs: the process of a front, the tests.
func TestMain(m *testing.M) {
	if !front.Main() {
		os.Exit(m.Run())
	}
}
