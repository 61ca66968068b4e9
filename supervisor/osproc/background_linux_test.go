package osproc

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

func niceness(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("nice").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func TestBackgroundLowersNothingElse(t *testing.T) {
	before := niceness(t)
	var within, class string
	Background(func() {
		within = niceness(t)
		out, _ := exec.Command("ionice").Output()
		class = strings.TrimSpace(string(out))
	})
	if within != "19" || class != "" && class != "idle" {
		t.Errorf("priority %s, %s", within, class)
	}
	if after := niceness(t); after != before {
		t.Errorf("priority %s afterwards, %s before", after, before)
	}
}

// Whoever calls recovers panics: of another goroutine nobody could.
func TestPanicInBackgroundIsTheCallers(t *testing.T) {
	defer func() {
		got := fmt.Sprint(recover())
		if !strings.HasPrefix(got, "of f\n") || !strings.Contains(got, "osproc.panics(") {
			t.Errorf("got %s", got)
		}
	}()
	Background(panics)
	t.Error("Background has returned")
}

func panics() { panic("of f") }
