package reload

import (
	"reflect"
	"testing"
)

// TestBuildsAreCounted: the status has how many builds were fast, verified, and why the others were not.
func TestBuildsAreCounted(t *testing.T) {
	w := fastServed(t)
	save := func(n uint64) { w.editSource(n); w.calm() }
	save(2)
	w.refused = "imports changed"
	save(3)
	save(4)
	early := w.st.Snapshot().Builds
	w.refused = ""
	w.broken = true
	save(5)
	w.broken = false
	w.differs = true
	save(6)
	save(8)
	want := Builds{Fast: 3, ByGo: []Refused{{"imports changed", 2}, {"a fast build was not what the go command builds", 1}}, Verified: 4, Differed: 1}
	if got := w.st.Snapshot().Builds; !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if want := []Refused{{"imports changed", 2}}; !reflect.DeepEqual(early.ByGo, want) {
		t.Errorf("what was answered before is now %+v", early.ByGo)
	}
	w.end()

	w = served(t, Options{})
	w.editSource(2)
	w.calm()
	if got := w.st.Snapshot().Builds; !reflect.DeepEqual(got, Builds{}) {
		t.Errorf("without fast builds: %+v", got)
	}
	w.end()
}
