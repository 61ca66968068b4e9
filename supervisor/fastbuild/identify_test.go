package fastbuild

import (
	"slices"
	"testing"
)

func TestIdentify(t *testing.T) {
	const id = "-buildid=actionactionaction00/main/main/actionactionaction00"
	args := func(made, now map[string]digest, id string) string {
		b := run{plan: &Plan{made: made}, made: now}
		all := []string{"-o", "x", id, "main.a"}
		b.identify(all)
		if !slices.Equal([]string{all[0], all[1], all[3]}, []string{"-o", "x", "main.a"}) {
			t.Errorf("got %v", all)
		}
		return all[2]
	}
	one := args(nil, map[string]digest{"m": {1}}, id)
	if one == id || len(one) != len(id) || one[:38] != id[:38] {
		t.Errorf("got %s", one)
	}
	for name, other := range map[string]string{
		"another archive": args(nil, map[string]digest{"m": {2}}, id),
		"another package": args(nil, map[string]digest{"n": {1}}, id),
		"one of before":   args(map[string]digest{"n": {1}}, map[string]digest{"m": {1}}, id),
		"another program": args(nil, map[string]digest{"m": {1}}, "-buildid=actionactionaction11/main/main/actionactionaction00"),
		"nothing is made": args(nil, nil, id),
	} {
		if other == one {
			t.Errorf("%s has the same build ID", name)
		}
	}
	if again := args(map[string]digest{"m": {2}}, map[string]digest{"m": {1}}, id); again != one {
		t.Errorf("the same program is %s and %s", one, again)
	}
	if got := args(nil, map[string]digest{"m": {1}}, "-buildid=mine"); got != "-buildid=mine" {
		t.Errorf("the user's is %s", got)
	}
}
