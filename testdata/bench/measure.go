package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"example.com/bench/run"
)

// sample is what one save cost.
type sample struct {
	served  bool
	latency time.Duration // from the write until the new state answered
	at      time.Time     // when it did
	kept    bool          // what ran goes on to: devguard has said so
	failed  int           // requests without a good answer
}

// every is the pause between two requests of the one client. It is also how
// exact a latency is. More requests would take the processor from the build of
// those contenders that serve meanwhile: one every 4 ms cost them 20 ms, on two
// cores, that those who refuse do not pay.
const every = 10 * time.Millisecond

// settle is how long we go on asking after a save is served, and let debounces
// and late stops pass before the next contender is measured.
const settle = 600 * time.Millisecond

// measure saves one edit and watches until it is served.
func (e *entry) measure(ctx context.Context, ed edit, value string) (sample, error) {
	done, err := e.awaited(ctx, ed)
	if err != nil {
		return sample{}, err
	}
	begin := time.Now()
	want, err := ed.save(e.shop, value)
	if err != nil {
		return sample{}, err
	}
	if !ed.silent {
		done = func(body string) (bool, bool) { return strings.Contains(body, want), false }
	}
	reloaded := make(chan error, 1)
	go func() {
		if e.floor == nil {
			reloaded <- nil
			return
		}
		reloaded <- e.floor.reload(ctx)
	}()
	s, err := e.watch(ctx, begin, ed.path, done)
	return s, errors.Join(err, <-reloaded)
}

// awaited returns what tells, of an answer, whether an edit that changes nothing of the program is over:
// another process answers, or devguard says that it restarts nothing.
func (e *entry) awaited(ctx context.Context, ed edit) (func(body string) (done, kept bool), error) {
	if !ed.silent {
		return nil, nil
	}
	before, ok := get(ctx, e.url+ed.path)
	if !ok {
		return nil, fmt.Errorf("no answer from %s%s", e.url, ed.path)
	}
	if e.contender.tool != "devguard" {
		return func(body string) (done, kept bool) { return body != before, false }, nil
	}
	log, err := os.Open(e.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	from, err := log.Seek(0, io.SeekEnd)
	return func(body string) (done, kept bool) {
		text, _ := os.ReadFile(e.log)
		kept = bytes.Contains(text[min(from, int64(len(text))):], []byte(`"restart skipped"`))
		return body != before || kept, kept
	}, err
}

// watch asks for path until an answer says that the edit is over, and for a while after that.
func (e *entry) watch(ctx context.Context, begin time.Time, path string, over func(body string) (done, kept bool)) (s sample, err error) {
	end := begin.Add(e.subject.patience)
	for now := begin; now.Before(end); {
		body, ok := get(ctx, e.url+path)
		now = time.Now()
		if !ok {
			s.failed++
		} else if !s.served {
			if s.served, s.kept = over(body); s.served {
				s.latency, s.at = now.Sub(begin), now
				end = now.Add(settle)
			}
		}
		if err := e.pause(ctx); err != nil {
			return s, err
		}
	}
	return s, nil
}

// await returns once an answer holds want.
func (e *entry) await(ctx context.Context, path, want string, limit time.Duration) error {
	for end := time.Now().Add(limit); time.Now().Before(end); {
		if body, ok := get(ctx, e.url+path); ok && strings.Contains(body, want) {
			return nil
		}
		if err := e.pause(ctx); err != nil {
			return err
		}
	}
	return fmt.Errorf("no answer with %q from %s%s in %s", want, e.url, path, limit)
}

// pause waits between two requests. It fails when there is nobody to ask any
// more.
func (e *entry) pause(ctx context.Context) error {
	if e.tool != nil {
		if err := e.tool.Exited(); err != nil {
			return err
		}
	}
	return run.Pause(ctx, every)
}

// client opens a connection for each request, as clients of a server that was
// just restarted have to.
var client = &http.Client{
	Timeout:   2 * time.Second,
	Transport: &http.Transport{DisableKeepAlives: true, Proxy: nil},
}

// get reports the body of a good answer.
func get(ctx context.Context, url string) (string, bool) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", false
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", false
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err == nil && resp.StatusCode == http.StatusOK
}
