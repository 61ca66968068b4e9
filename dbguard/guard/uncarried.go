package guard

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

// uncarried is what the generations of the app have made on the servers of a transaction
// pooler that no pooler takes back: a session's locks, settings, temporary tables. The
// zero value is ready.
type uncarried struct {
	mu    sync.Mutex
	byGen map[int]map[string]bool // features in the words of package session
}

// add notes that generation gen has used a feature.
func (c *uncarried) add(gen int, feature string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byGen == nil {
		c.byGen = map[int]map[string]bool{}
	}
	if c.byGen[gen] == nil {
		c.byGen[gen] = map[string]bool{}
	}
	c.byGen[gen][feature] = true
}

// take returns the features that generations up to gen have used, and forgets them.
func (c *uncarried) take(gen int) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	used := map[string]bool{}
	for n, features := range c.byGen {
		if n <= gen {
			maps.Copy(used, features)
			delete(c.byGen, n)
		}
	}
	return slices.Sorted(maps.Keys(used))
}

// mayRemain says in one line that what came of features may still be there. The servers
// are the pooler's, which has given them back before the app was gone: nothing that we
// close ends them.
func mayRemain(features []string) string {
	return strings.Join(features, ", ") + " may remain on a server of the pooler; " +
		"RECONNECT in PgBouncer's console closes its servers, and a direct URL or the session port avoids it"
}
