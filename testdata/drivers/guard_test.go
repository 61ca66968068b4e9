package drivers

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/devguard/devguard/dbguard/guard"
)

const runID = "0123456789abcdef0123456789abcdef"

// record is a log that can be read while it is written.
type record struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.Write(p)
}

// lines returns the lines with a message.
func (r *record) lines(t *testing.T, msg string) (found []map[string]any) {
	t.Helper()
	r.mu.Lock()
	text := r.buf.String()
	r.mu.Unlock()
	for line := range strings.Lines(text) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("not JSON: %s", line)
		}
		if m["msg"] == msg {
			found = append(found, m)
		}
	}
	return found
}

// openGuard opens a Guard in a mode; when the test ends it is closed and has to
// leave no goroutine.
func openGuard(t *testing.T, mode string) (*guard.Guard, *record) {
	t.Helper()
	before := runtime.NumGoroutine()
	r := &record{}
	g, err := guard.Open(t.Context(), guard.Options{
		Dir: t.TempDir(), RunID: runID, Databases: []guard.Database{{Mode: mode, DrainTimeout: time.Minute}}, // a busy machine takes its time
		Log: slog.New(slog.NewJSONHandler(r, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := g.Close(ctx); err != nil {
			t.Error(err)
		}
		until(t, "the guard leaves goroutines", func() bool { return runtime.NumGoroutine() <= before })
	})
	return g, r
}

// until polls for a condition; trouble says what it means that it never holds.
func until(t *testing.T, trouble string, f func() bool) {
	t.Helper()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for deadline := time.Now().Add(10 * time.Second); !f(); <-poll.C {
		if time.Now().After(deadline) {
			t.Fatal(trouble)
		}
	}
}
