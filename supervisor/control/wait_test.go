package control

import (
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"testing"

	"github.com/devguard/devguard/supervisor/reload"
)

// waitFor asks for the verdict about version, in a goroutine.
func waitFor(t *testing.T, f *fake, version uint64, timeout string) <-chan Waited {
	f.mu.Lock()
	f.version = version
	f.mu.Unlock()
	answer := make(chan Waited, 1)
	go func() {
		var w Waited
		_, body := do(t, f.request("GET", "/v1/wait?timeout="+timeout))
		if err := json.Unmarshal([]byte(body), &w); err != nil {
			t.Errorf("%v in %s", err, body)
		}
		answer <- w
	}()
	return answer
}

// TestWait: the answer comes with the state that decides, whatever comes before it.
func TestWait(t *testing.T) {
	for name, c := range map[string]struct {
		last func(*reload.Snapshot)
		want string
	}{
		"served": {func(s *reload.Snapshot) { s.GenVersion, s.Rest = 9, reload.AtRest }, "served"},
		"failed": {func(s *reload.Snapshot) {
			s.Failures, s.Rest = []reload.Failure{{What: "build", Version: 9, Err: errors.New("oops")}}, reload.AtRest
		}, "failed"},
		"ending": {func(s *reload.Snapshot) { s.Done = true }, "ending"},
	} {
		t.Run(name, func(t *testing.T) {
			f := serve(t)
			answer := waitFor(t, f, 9, "60s")
			for range 5 {
				f.publish(func(s *reload.Snapshot) { s.Version++ })
			}
			f.publish(func(s *reload.Snapshot) { s.Version, s.Rest = 9, reload.AtWork })
			f.publish(c.last)
			if w := <-answer; w.Outcome != c.want || w.Version != 9 || (w.Outcome == "failed") != (len(w.Why) > 0) {
				t.Errorf("%+v", w)
			}
		})
	}
}

// TestWaitInVain: after its time a caller is told what goes on; one who leaves gives up the place.
func TestWaitInVain(t *testing.T) {
	f := serve(t)
	if w := <-waitFor(t, f, 9, "1ms"); w.Outcome != "pending" || len(w.Why) == 0 {
		t.Errorf("%+v", w)
	}
	if code, _ := do(t, f.request("GET", "/v1/wait?timeout=soon")); code != 400 {
		t.Errorf("%d", code)
	}
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		var w Waited
		left <- Client{f.URL(), f.Token()}.Get(ctx, "/v1/wait", &w)
	}()
	for len(f.streams) == 0 {
		runtime.Gosched() // the caller has not come yet
	}
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for range maxStreams {
		f.streams <- struct{}{} // all are free once that one is given up
	}
}
