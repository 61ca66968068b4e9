package front

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/devguard/devguard/supervisor/gate"
)

// callers returns a client of HTTP/2 without TLS.
func callers(t *testing.T) *http.Client {
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: limit}
}

// TestCallEnds: a call that the app leaves open, or does not finish, ends as unavailable; one that it
// ends has its own status.
func TestCallEnds(t *testing.T) {
	for name, row := range map[string]struct {
		end       func(f *Front, app *http.Server, finish chan struct{})
		announced bool
		want      string
	}{
		"the app ends it":             {func(_ *Front, _ *http.Server, finish chan struct{}) { close(finish) }, true, "0"},
		"the app is gone":             {func(_ *Front, app *http.Server, _ chan struct{}) { app.Close() }, false, "14"},
		"the app is gone, announced":  {func(_ *Front, app *http.Server, _ chan struct{}) { app.Close() }, true, "14"},
		"it is ended by us":           {func(f *Front, _ *http.Server, _ chan struct{}) { f.EndStreams(1) }, false, "14"},
		"ended by us, with announced": {func(f *Front, _ *http.Server, _ chan struct{}) { f.EndStreams(1) }, true, "14"},
	} {
		t.Run(name, func(t *testing.T) {
			finish := make(chan struct{})
			s := &http.Server{Protocols: new(http.Protocols), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/grpc+proto")
				if row.announced {
					w.Header().Set("Trailer", "Grpc-Status")
				}
				_, _ = io.WriteString(w, "message\n")
				_ = http.NewResponseController(w).Flush()
				select {
				case <-finish:
				case <-r.Context().Done():
				}
				w.Header().Set("Grpc-Status", "0")
			})}
			s.Protocols.SetUnencryptedHTTP2(true)
			l := listenAs(t, "127.0.0.1:0")
			go func() { _ = s.Serve(l) }()
			t.Cleanup(func() { s.Close() })
			f := open(t)
			f.Started(1, l.Addr().String())
			f.Ready(1)
			res, err := callers(t).Post(f.url("/"), "application/grpc", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			r := bufio.NewReader(res.Body)
			if got, err := r.ReadString('\n'); got != "message\n" {
				t.Fatalf("%q, %v", got, err)
			}
			f.Stopping(1)
			row.end(f, s, finish)
			rest, err := io.ReadAll(r)
			if len(rest) > 0 || err != nil || res.Trailer.Get("Grpc-Status") != row.want {
				t.Errorf("%q, %v, trailers %v, want status %s", rest, err, res.Trailer, row.want)
			}
		})
	}
}

// TestFlush: what comes is passed on at once; an answer without a body ends with its head. Clients of gRPC
// take nothing else for a call that failed at once.
func TestFlush(t *testing.T) {
	for name, row := range map[string]struct {
		length  int64
		flushed bool
	}{"no body": {0, false}, "a body": {5, true}, "a body of unknown length": {-1, true}} {
		t.Run(name, func(t *testing.T) {
			f := open(t)
			f.Started(1, "127.0.0.1:1")
			f.Ready(1)
			rec := httptest.NewRecorder()
			a := &answer{ResponseWriter: rec}
			r := httptest.NewRequestWithContext(context.WithValue(t.Context(), answerKey{}, a), http.MethodPost, "/", http.NoBody)
			ticket, _ := f.passage.arrive(gate.Request{})
			defer ticket.done()
			ticket.take(f.passage.current(), r, &http.Response{StatusCode: http.StatusOK, ContentLength: row.length, Body: http.NoBody})
			if err := http.NewResponseController(a).Flush(); err != nil || rec.Flushed != row.flushed {
				t.Errorf("flushed: %v, %v", rec.Flushed, err)
			}
		})
	}
}
