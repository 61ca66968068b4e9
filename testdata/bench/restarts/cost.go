package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

	"example.com/bench/run"
)

// costs are what it takes to have the app run under a contender; one value a turn, of gaps one a
// restart.
type costs struct {
	perSecond []float64 // requests
	p99       []float64 // ms
	gaps      []float64 // ms from the end of a generation to the readiness of the next
}

const (
	busy    = 16 // clients that do nothing but ask
	measure = 3 * time.Second
)

func (c *costs) measure(ctx context.Context, a *app) error {
	var mutex sync.Mutex
	var took []time.Duration
	var asking sync.WaitGroup
	transport := &http.Transport{MaxIdleConnsPerHost: busy}
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport}
	begun := time.Now()
	for range busy {
		asking.Go(func() {
			var own []time.Duration
			for time.Since(begun) < measure && ctx.Err() == nil {
				at := time.Now()
				answer, err := client.Get(a.url + "/version")
				if err != nil {
					continue
				}
				io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
				own = append(own, time.Since(at))
			}
			mutex.Lock()
			defer mutex.Unlock()
			took = append(took, own...)
		})
	}
	asking.Wait()
	if len(took) == 0 {
		return fmt.Errorf("no request was answered in %v", measure)
	}
	slices.Sort(took)
	c.perSecond = append(c.perSecond, float64(len(took))/measure.Seconds())
	c.p99 = append(c.p99, run.Milliseconds(took[len(took)*99/100]))
	gaps, err := gaps(a.process.Log)
	c.gaps = append(c.gaps, gaps...)
	return err
}

// gaps reads them out of devguard's log.
func gaps(file string) (ms []float64, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var ended time.Time
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		var l struct {
			Time time.Time
			Msg  string
		}
		if json.Unmarshal(lines.Bytes(), &l) != nil {
			continue // a line of the app's
		}
		switch l.Msg {
		case "instance exited":
			ended = l.Time
		case "instance ready":
			if !ended.IsZero() {
				ms = append(ms, run.Milliseconds(l.Time.Sub(ended)))
			}
		}
	}
	return ms, nil
}

func report(all []*contender) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 1, ' ', 0)
	fmt.Fprintln(w, "|\t| requests\t| refused\t| failed otherwise\t| longest, ms\t| save to serving, ms\t|")
	fmt.Fprintln(w, "| ---\t| ---\t| ---\t| ---\t| ---\t| ---\t|")
	for _, c := range all {
		var served []float64
		for _, d := range c.seen.served {
			served = append(served, run.Milliseconds(d))
		}
		fmt.Fprintf(w, "| %s\t| %d\t| %d\t| %d\t| %.0f\t| %s\t|\n", c.name, c.seen.requests, c.seen.refused, c.seen.failed, run.Milliseconds(c.seen.longest), run.Spread(served, "%.0f"))
	}
	fmt.Fprintln(w, "\n|\t| requests a second\t| 99th percentile, ms\t| end to ready, ms\t|")
	fmt.Fprintln(w, "| ---\t| ---\t| ---\t| ---\t|")
	for _, c := range all {
		if c.cost {
			fmt.Fprintf(w, "| %s\t| %s\t| %s\t| %s\t|\n", c.name, run.Spread(c.paid.perSecond, "%.0f"), run.Spread(c.paid.p99, "%.2f"), run.Spread(c.paid.gaps, "%.1f"))
		}
	}
	w.Flush()
}
