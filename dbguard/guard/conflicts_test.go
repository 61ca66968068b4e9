package guard

import (
	"fmt"
	"testing"

	"github.com/devguard/devguard/dbguard/session"
)

// TestConflicts: each is counted, the first of its kind in a generation is news, and
// only two generations are remembered.
func TestConflicts(t *testing.T) {
	var c conflicts
	e := session.Event{Kind: session.Conflict, SQLState: "26000", Fingerprint: "execute a"}
	for gen := range 4 {
		for n := range 3 {
			if news := c.add(gen, e); news != (n == 0) {
				t.Errorf("generation %d, number %d: news %v", gen, n, news)
			}
		}
	}
	for n := range maxConflictLines {
		e.Fingerprint = fmt.Sprint(n)
		if news := c.add(3, e); news != (n < maxConflictLines-1) {
			t.Errorf("line %d: news %v", n, news)
		}
	}
	counts := c.counts()
	if counts[3]["26000"] != 3+maxConflictLines || counts[2]["26000"] != 3 || counts[1] != nil || counts[0]["26000"] != 3 {
		t.Errorf("%v", counts)
	}
}
