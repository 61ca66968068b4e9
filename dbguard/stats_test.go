package dbguard

import (
	"encoding/json"
	"expvar"
	"testing"
)

func TestStatsArePublished(t *testing.T) {
	counters.cleared.Add(3)
	var got Snapshot
	if err := json.Unmarshal([]byte(expvar.Get("dbguard").String()), &got); err != nil || got != Stats() || got.Cleared < 3 {
		t.Errorf("%+v, %v; want %+v", got, err, Stats())
	}
}
