// Hop measures what it costs to have somebody between the clients and the app: requests a second and the 99th
// percentile of their time, to the app itself, through devguard's front (where the app binds, and at an address of
// its own), through the reverse proxy of Go's standard library, through air's proxy, and through nginx with kept
// connections to the app.
//
// All of them run for the whole time, each with an app of its own from the same source, and have their turns one after
// the other, in a random order each round: ratios are of turns of one round. The clients are as cheap as they can be
// (a request is written as it is, over connections that are kept), since they share the machine.
//
//	go -C testdata/bench run ./hop [-rounds N] [-clients N] [-for D]
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"syscall"
	"time"

	"example.com/bench/run"
)

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 9, "how often each contender has its turn")
	flag.IntVar(&o.clients, "clients", 16, "how many clients ask at a time")
	flag.DurationVar(&o.turn, "for", time.Second, "how long they ask in a turn, for each kind of request")
	flag.StringVar(&o.repo, "repo", "../..", "devguard's repository")
	flag.Parse()
	run.Main("hop", func(ctx context.Context) error { return compare(ctx, o) })
}

type options struct {
	rounds, clients int
	turn            time.Duration
	repo            string
}

func compare(ctx context.Context, o options) error {
	work, err := os.MkdirTemp("", "devguard-hop-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	all, err := start(ctx, o.repo, work)
	defer func() {
		for _, c := range all {
			c.process.Stop(syscall.SIGINT, 10*time.Second)
		}
	}()
	if err != nil {
		return err
	}
	for round := range o.rounds {
		fmt.Fprintf(os.Stderr, "round %d of %d\n", round+1, o.rounds)
		for _, i := range rand.Perm(len(all)) {
			for k, kind := range kinds {
				one, err := ask(ctx, all[i].addr, kind.request, o)
				if err != nil {
					return fmt.Errorf("%s through %s: %w", kind.name, all[i].name, err)
				}
				all[i].results[k] = append(all[i].results[k], one)
			}
		}
	}
	report(all)
	return nil
}
