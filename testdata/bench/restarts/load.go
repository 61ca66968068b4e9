package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"example.com/bench/run"
)

// tally is what clients have seen. Event streams end with their process and are not counted.
type tally struct {
	requests, refused, failed int
	longest                   time.Duration
	served                    []time.Duration // from each save
}

func (t *tally) add(more tally) {
	t.requests += more.requests
	t.refused += more.refused
	t.failed += more.failed
	t.longest = max(t.longest, more.longest)
}

// clients are in step with nothing: each makes its next request 20 ms after its last answer.
type clients struct {
	cancel context.CancelFunc
	each   []tally
	done   sync.WaitGroup
}

// load starts 30 clients: 8 GET and 8 POST of 100 bytes by fresh connections, 8 GET by kept ones (by
// net/http's client, which makes such a request again when the connection turns out to be closed), 2
// POST of 1 MB, 4 event streams.
func load(url string) *clients {
	ctx, cancel := context.WithCancel(context.Background())
	c := &clients{cancel: cancel, each: make([]tally, 30)}
	for i := range c.each {
		fresh := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 15 * time.Second}
		kept := &http.Client{Transport: &http.Transport{}, Timeout: 15 * time.Second}
		c.done.Go(func() {
			for ctx.Err() == nil {
				switch {
				case i < 8:
					c.each[i].ask(ctx, fresh, url, nil)
				case i < 16:
					c.each[i].ask(ctx, fresh, url, bytes.Repeat([]byte{'x'}, 100))
				case i < 24:
					c.each[i].ask(ctx, kept, url, nil)
				case i < 26:
					c.each[i].ask(ctx, fresh, url, bytes.Repeat([]byte{'x'}, 1<<20))
				default:
					follow(ctx, url+"/events")
				}
				run.Pause(ctx, 20*time.Millisecond)
			}
		})
	}
	return c
}

// stop returns what they have seen together.
func (c *clients) stop() tally {
	c.cancel()
	c.done.Wait()
	var sum tally
	for _, t := range c.each {
		sum.add(t)
	}
	return sum
}

// ask makes a request: a POST if there is a body. The answer has the length of that.
func (t *tally) ask(ctx context.Context, client *http.Client, url string, body []byte) {
	method := http.MethodGet
	if body != nil {
		method = http.MethodPost
	}
	begun := time.Now()
	r, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		panic(err) // the URL is ours
	}
	text := ""
	answer, err := client.Do(r)
	if err == nil {
		var b []byte
		b, err = io.ReadAll(answer.Body)
		answer.Body.Close()
		text = strings.TrimSpace(string(b))
	}
	if ctx.Err() != nil {
		return // the end
	}
	t.requests++
	t.longest = max(t.longest, time.Since(begun))
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		t.refused++
	case err != nil || text != fmt.Sprint(len(body)):
		t.failed++
	}
}

// follow reads a stream to its end.
func follow(ctx context.Context, url string) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		panic(err) // the URL is ours
	}
	if answer, err := http.DefaultClient.Do(r); err == nil {
		io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
	}
}
