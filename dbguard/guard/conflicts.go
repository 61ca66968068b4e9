package guard

import (
	"maps"
	"sync"

	"github.com/devguard/devguard/dbguard/session"
)

const (
	// maxConflictLines bounds the `conflict` lines of one generation: an app that
	// writes literals into its SQL in a way that Fingerprint does not see through has
	// no end of different ones.
	maxConflictLines = 500
	// keptGenerations is how many generations are remembered: this one, and the one
	// before it to compare with.
	keptGenerations = 2
)

// conflicts counts the errors of clashes with other generations, pools or schemas
// that the clients of one upstream were given, by generation. The zero value is ready.
type conflicts struct {
	mu    sync.Mutex
	byGen map[int]*conflictsOf
}

// conflictsOf are those of one generation.
type conflictsOf struct {
	bySQLState map[string]uint64
	logged     map[session.Event]bool
}

// add counts a conflict, and reports whether it is to be logged: the first of its
// kind in its generation.
func (c *conflicts) add(gen int, e session.Event) (news bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	of := c.of(gen)
	of.bySQLState[e.SQLState]++
	if of.logged[e] || len(of.logged) >= maxConflictLines {
		return false
	}
	of.logged[e] = true
	return true
}

// of returns the conflicts of a generation, and forgets those that are too old. The
// caller holds mu.
func (c *conflicts) of(gen int) *conflictsOf {
	if of := c.byGen[gen]; of != nil {
		return of
	}
	if c.byGen == nil {
		c.byGen = map[int]*conflictsOf{}
	}
	of := &conflictsOf{bySQLState: map[string]uint64{}, logged: map[session.Event]bool{}}
	c.byGen[gen] = of
	maps.DeleteFunc(c.byGen, func(n int, _ *conflictsOf) bool { return n > 0 && n <= gen-keptGenerations })
	return of
}

// counts returns the conflicts by generation and SQLSTATE.
func (c *conflicts) counts() map[int]map[string]uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := map[int]map[string]uint64{}
	for gen, of := range c.byGen {
		all[gen] = maps.Clone(of.bySQLState)
	}
	return all
}
