package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// sample is what one save cost.
type sample struct {
	served  bool
	latency time.Duration // from the write until the new state answered
	at      time.Time     // when it did
	failed  int           // requests of the second client without a good answer
	gap     time.Duration // its longest time without one
}

// settle is how long we go on counting after a save is served, and let
// debounces and late stops pass before the next contender is measured.
const settle = 600 * time.Millisecond

// measure saves one edit and watches until it is served.
func (e *entry) measure(ctx context.Context, ed edit, value string) (s sample, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	requests := make(chan traffic, 1)
	go func() { requests <- send(ctx, e.url+"/version") }()

	begin := time.Now()
	want, err := ed.save(e.shop, value)
	if err != nil {
		return s, err
	}
	reloaded := make(chan error, 1)
	go func() {
		if e.floor == nil {
			reloaded <- nil
			return
		}
		reloaded <- e.floor.reload(ctx)
	}()
	s.at, err = e.await(ctx, ed.path, want, patience)
	if err := <-reloaded; err != nil {
		return s, err
	}
	if err != nil && !errors.Is(err, errNotServed) {
		return s, err
	}
	s.served, s.latency = err == nil, s.at.Sub(begin)
	if err := sleep(ctx, settle); err != nil {
		return s, err
	}
	cancel()
	t := <-requests
	s.failed, s.gap = t.failed, t.gap
	return s, nil
}

var errNotServed = errors.New("not served in time")

// await asks every 2 ms until the answer holds want, and says when that was.
func (e *entry) await(ctx context.Context, path, want string, limit time.Duration) (time.Time, error) {
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); {
		if body, ok := get(ctx, e.url+path); ok && strings.Contains(body, want) {
			return time.Now(), nil
		}
		if e.tool != nil {
			if err := e.tool.exited(); err != nil {
				return time.Time{}, err
			}
		}
		if err := sleep(ctx, 2*time.Millisecond); err != nil {
			return time.Time{}, err
		}
	}
	return time.Time{}, errNotServed
}

// traffic is what the second client saw.
type traffic struct {
	failed int
	gap    time.Duration
}

// send sends a request every 4 ms until ctx ends.
func send(ctx context.Context, url string) (t traffic) {
	last := time.Now()
	for sleep(ctx, 4*time.Millisecond) == nil {
		_, ok := get(ctx, url)
		if ctx.Err() != nil {
			return t
		}
		if !ok {
			t.failed++
			continue
		}
		now := time.Now()
		t.gap = max(t.gap, now.Sub(last))
		last = now
	}
	return t
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

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
