package dbguard

import (
	"expvar"
	"sync/atomic"
)

// Snapshot is what the package has done since the process began, for all pools.
type Snapshot struct {
	Conflicts      int64 `json:"conflicts"`       // stale statements met by Retry and RetryTx
	Retries        int64 `json:"retries"`         // attempts after the first
	GaveUp         int64 `json:"gave_up"`         // errors of a class that is retried, returned after the last attempt
	OutcomeUnknown int64 `json:"outcome_unknown"` // COMMITs without an answer
	Resets         int64 `json:"resets"`          // successful ones
	Cleared        int64 `json:"cleared"`         // prepared statements that ClearPreparedStatements has counted
}

var counters struct {
	conflicts, retries, gaveUp, unknown, resets, cleared atomic.Int64
}

// Stats returns what was counted so far. The same is published as the expvar
// "dbguard".
func Stats() Snapshot {
	c := &counters
	return Snapshot{Conflicts: c.conflicts.Load(), Retries: c.retries.Load(), GaveUp: c.gaveUp.Load(),
		OutcomeUnknown: c.unknown.Load(), Resets: c.resets.Load(), Cleared: c.cleared.Load()}
}

func init() {
	if expvar.Get("dbguard") == nil { // a second Publish would end the process
		expvar.Publish("dbguard", expvar.Func(func() any { return Stats() }))
	}
}
