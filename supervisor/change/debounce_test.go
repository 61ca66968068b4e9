package change_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/change"
)

func TestBurst(t *testing.T) {
	type add struct {
		at    time.Duration
		names []string
		lock  bool
	}
	ms := time.Millisecond
	for name, tt := range map[string]struct {
		adds []add
		want time.Duration
	}{
		"one save":                      {[]add{{0, []string{"a"}, false}}, 3 * ms},
		"nothing but a lock":            {[]add{{0, nil, true}}, 25 * ms},
		"one file over and over":        {[]add{{0, []string{"a"}, false}, {1 * ms, []string{"a"}, false}, {2 * ms, []string{"a"}, false}}, 5 * ms},
		"two files":                     {[]add{{0, []string{"a", "b"}, false}, {1 * ms, []string{"b"}, false}}, 4 * ms},
		"three files":                   {[]add{{0, []string{"a", "b"}, false}, {1 * ms, []string{"c"}, false}}, 26 * ms},
		"git":                           {[]add{{0, []string{"a"}, true}}, 25 * ms},
		"git has ended":                 {[]add{{0, []string{"a"}, true}, {10 * ms, []string{"a"}, false}}, 35 * ms},
		"three files without end":       {[]add{{0, []string{"a", "b", "c"}, false}, {240 * ms, []string{"a"}, false}}, 250 * ms},
		"one file written without end":  {[]add{{0, []string{"a"}, false}, {249 * ms, []string{"a"}, false}}, 250 * ms},
		"git holds its lock for ever":   {[]add{{0, []string{"a"}, true}, {249 * ms, nil, true}}, 250 * ms},
		"a fourth name is not kept too": {[]add{{0, []string{"a", "b", "c", "d"}, false}}, 25 * ms},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Unix(1000, 0)
			var b change.Burst
			if !b.Deadline().IsZero() || b.Over(start) {
				t.Fatal("no burst has a deadline")
			}
			for _, a := range tt.adds {
				b = b.Add(a.names, start.Add(a.at), a.lock)
			}
			if got := b.Deadline().Sub(start); got != tt.want {
				t.Fatalf("over after %s, want %s", got, tt.want)
			}
			if b.Over(start.Add(tt.want-1)) || !b.Over(start.Add(tt.want)) {
				t.Fatal("Over and Deadline disagree")
			}
		})
	}
}

func TestBurstIsAValue(t *testing.T) {
	start := time.Unix(1000, 0)
	one := change.Burst{}.Add([]string{"a"}, start, false)
	for i := range 3 {
		one.Add([]string{fmt.Sprint(i), fmt.Sprint(i + 10)}, start, false)
	}
	if got := one.Deadline().Sub(start); got != 3*time.Millisecond {
		t.Fatalf("a copy changed its original: %s", got)
	}
}
