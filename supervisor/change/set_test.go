package change_test

import (
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/change"
)

func TestMerge(t *testing.T) {
	at := time.Unix(100, 0)
	for _, tt := range []struct{ a, b, want change.Op }{
		{change.Create, change.Write, change.Create},
		{change.Create, change.Remove, change.Remove},
		{change.Remove, change.Create, change.Write},
		{change.Remove, change.Write, change.Write},
		{change.Write, change.Remove, change.Remove},
		{change.Write, change.Chmod, change.Write},
		{change.Chmod, change.Write, change.Write},
	} {
		a := change.Set{At: at, Snapshot: change.Snapshot{Version: 1}, Paths: []change.Path{{Name: "/b", Op: tt.a}}}
		b := change.Set{At: at.Add(1), Snapshot: change.Snapshot{Version: 2}, Paths: []change.Path{{Name: "/a", Op: change.Create}, {Name: "/b", Op: tt.b}}}
		got := a.Merge(b)
		if len(got.Paths) != 2 || got.Paths[0].Name != "/a" || got.Paths[1].Op != tt.want {
			t.Errorf("%s then %s: %+v, want %s", tt.a, tt.b, got.Paths, tt.want)
		}
		if got.Version != 2 || !got.At.Equal(at) {
			t.Errorf("merged set is %+v", got)
		}
		if len(a.Paths) != 1 || a.Paths[0].Op != tt.a || b.Paths[1].Op != tt.b {
			t.Error("Merge changed its arguments")
		}
	}
}

func TestMergeBoundsIgnored(t *testing.T) {
	var s change.Set
	for i := range 1000 {
		s = s.Merge(change.Set{Ignored: []change.Path{{Name: string(rune('a'+i%26)) + time.Duration(i).String()}}})
	}
	if n := len(s.Ignored); n > 64 {
		t.Fatalf("%d ignored paths are kept", n)
	}
}
