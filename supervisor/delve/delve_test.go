package delve

import (
	"slices"
	"testing"
)

func TestReachable(t *testing.T) {
	for _, tt := range [][2]string{
		{"127.0.0.1:2345", "127.0.0.1:2345"},
		{"localhost:2345", "localhost:2345"},
		{"0.0.0.0:2345", "127.0.0.1:2345"},
		{"[::]:2345", "[::1]:2345"},
		{":2345", "127.0.0.1:2345"},
		{"192.0.2.7:2345", "192.0.2.7:2345"},
	} {
		if got := reachable(tt[0]); got != tt[1] {
			t.Errorf("%s is reached at %s, want %s", tt[0], got, tt[1])
		}
	}
}

// TestArguments: nothing of the app's own is taken for a flag of dlv.
func TestArguments(t *testing.T) {
	got := Arguments("127.0.0.1:2345", "/p/app", []string{"--headless=false", "--", "x"})
	i := slices.Index(got, "--")
	if i < 0 || got[i-1] != "/p/app" || !slices.Equal(got[i+1:], []string{"--headless=false", "--", "x"}) {
		t.Errorf("got %q", got)
	}
}
