package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"example.com/bench/run"
)

// kinds are the requests that are made, byte by byte.
var kinds = [...]struct{ name, request string }{
	{"GET", "GET / HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\r\n"},
	{"POST", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1024\r\n\r\n" + strings.Repeat("x", 1024)},
	{"page", "GET /page HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\nAccept-Encoding: gzip\r\nSec-Fetch-Dest: document\r\n\r\n"},
}

// result is of one turn.
type result struct {
	perSecond float64 // requests
	p99       float64 // ms
}

// ask has clients make one request after the other for the time of a turn, and each at least one.
func ask(ctx context.Context, addr, request string, o options) (result, error) {
	took := make([][]time.Duration, o.clients)
	errs := make([]error, o.clients)
	var asking sync.WaitGroup
	begun := time.Now()
	for i := range o.clients {
		asking.Go(func() { took[i], errs[i] = client(ctx, addr, request, begun.Add(o.turn)) })
	}
	asking.Wait()
	lasted := time.Since(begun)
	all := slices.Concat(took...)
	for _, err := range errs {
		if err != nil {
			return result{}, err
		}
	}
	slices.Sort(all)
	return result{float64(len(all)) / lasted.Seconds(), run.Milliseconds(all[len(all)*99/100])}, ctx.Err()
}

// client asks over one connection, which the other side keeps.
func client(ctx context.Context, addr, request string, end time.Time) (took []time.Duration, err error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := c.SetDeadline(end.Add(30 * time.Second)); err != nil {
		return nil, err
	}
	r := bufio.NewReader(c)
	for at := time.Now(); len(took) == 0 || at.Before(end) && ctx.Err() == nil; at = time.Now() {
		if _, err := io.WriteString(c, request); err != nil {
			return nil, err
		}
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			return nil, err
		}
		n, err := io.Copy(io.Discard, res.Body)
		if err != nil || res.StatusCode != http.StatusOK || n < 1024 {
			return nil, fmt.Errorf("answered with %s and %d bytes: %v", res.Status, n, err)
		}
		took = append(took, time.Since(at))
	}
	return took, nil
}

// each returns one number of each turn of a kind.
func (c *contender) each(kind int, of func(result) float64) (xs []float64) {
	for _, r := range c.results[kind] {
		xs = append(xs, of(r))
	}
	return xs
}

func report(all []*contender) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 1, ' ', 0)
	perSecond, p99 := func(r result) float64 { return r.perSecond }, func(r result) float64 { return r.p99 }
	var peer *contender
	for _, c := range all {
		if c.name == nginx {
			peer = c
		}
	}
	for k, kind := range kinds {
		fmt.Fprintf(w, "| %s\t| requests a second\t| of nginx's\t| 99th percentile, ms\t|\n| ---\t| ---\t| ---\t| ---\t|\n", kind.name)
		for _, c := range all {
			var ratios []float64
			for i, r := range c.results[k] {
				ratios = append(ratios, r.perSecond/peer.results[k][i].perSecond)
			}
			fmt.Fprintf(w, "| %s\t| %s\t| %s\t| %s\t|\n", c.name, run.Spread(c.each(k, perSecond), "%.0f"), run.Spread(ratios, "%.2f"), run.Spread(c.each(k, p99), "%.1f"))
		}
		fmt.Fprintln(w)
	}
	w.Flush()
}
