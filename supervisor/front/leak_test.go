package front

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime/pprof"
	"testing"
	"time"
)

// TestCloseLeavesNothing: with clients of every kind, waiting and answered, no goroutine of the
// front is left when it is closed and the clients are gone.
func TestCloseLeavesNothing(t *testing.T) {
	w := newWait()
	a := serve(t, func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stream" {
			rw.Header().Set("Content-Type", "text/event-stream")
			_ = http.NewResponseController(rw).Flush()
		}
		w.stay(r.Context())
	})
	var f *Front
	pprof.Do(context.Background(), pprof.Labels("test", t.Name()), func(context.Context) {
		var err error
		if f, err = Open(Options{Listen: "127.0.0.1:0", Hold: limit, Live: true}); err != nil {
			t.Fatal(err)
		}
	})
	if ours, _ := goroutines(t); !ours {
		t.Error("its goroutines are not known")
	}
	f.Started(1, a.at())
	f.Ready(1)
	silent, opaque := dial(t, f), dial(t, f)
	_, _ = io.WriteString(opaque, "\x00")
	answers := []<-chan string{get(t, f, "GET", "/stream"), get(t, f, "POST", "/slow"), get(t, f, "GET", eventsPath)}
	after(t, w.in, "the first request")
	after(t, w.in, "the second request")
	f.Stopping(1)
	answers = append(answers, get(t, f, "GET", "/waits"))
	f.EndStreams(1)
	f.Close()
	for _, c := range answers {
		after(t, c, "an answer, or its failure")
	}
	silent.Close()
	opaque.Close()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for end := time.Now().Add(limit); ; <-again.C {
		left, all := goroutines(t)
		if !left {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("goroutines are left:\n%s", all)
		}
	}
}

// goroutines reports whether there is one that was labelled with the test's name.
func goroutines(t *testing.T) (ours bool, all string) {
	t.Helper()
	var b bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&b, 1); err != nil {
		t.Fatal(err)
	}
	return bytes.Contains(b.Bytes(), fmt.Appendf(nil, "%q:%q", "test", t.Name())), b.String()
}
