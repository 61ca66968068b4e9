// Restarts measures what the clients of an unmodified app with a graceful shutdown notice of
// restarts by save: under devguard, devguard without held sockets, devguard with its front, air, and air with its proxy. Then
// what holding the sockets costs: requests a second and the 99th percentile of their time, and the
// time from the end of one generation to the readiness of the next.
//
// The contenders take turns, in a random order each round, so that a noisy machine is noisy for all
// alike. Numbers are for comparison within one run.
//
//	go -C testdata/bench run ./restarts [-rounds N] [-restarts N]
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"example.com/bench/run"
)

func main() {
	rounds := flag.Int("rounds", 3, "how often each contender has its turn")
	restarts := flag.Int("restarts", 10, "saves in each turn")
	repo := flag.String("repo", "../..", "devguard's repository")
	flag.Parse()
	run.Main("restarts", func(ctx context.Context) error { return compare(ctx, *repo, *rounds, *restarts) })
}

// contender is one way of running the app while it is edited.
type contender struct {
	name string
	tool string // devguard or air
	args []string
	air  string // for .air.toml
	cost bool   // what it costs is measured, too

	bin  string
	seen tally
	paid costs
}

// Air's least delay is 1 ms (0 is its default of a second); send_interrupt has it ask the app to stop.
const airBuild = `root = "."
tmp_dir = "tmp"
[build]
cmd = "go build -buildvcs=false -ldflags=-w -o ./tmp/app ."
entrypoint = ["./tmp/app"]
delay = 1
stop_on_error = true
`

func contenders() []*contender {
	json := []string{"run", "--log-format", "json"}
	return []*contender{
		{name: "`devguard run`", tool: "devguard", args: json, cost: true},
		{name: "`devguard run --hold-sockets=false`", tool: "devguard", args: append(json[:len(json):len(json)], "--hold-sockets=false"), cost: true},
		{name: "`devguard run --front`", tool: "devguard", args: append(json[:len(json):len(json)], "--front")},
		{name: "`air`, 1 ms delay", tool: "air", air: airBuild},
		{name: "`air`, 1 ms delay, `send_interrupt`", tool: "air", air: airBuild + "send_interrupt = true\nkill_delay = \"5s\"\n"},
		{name: "`air`, 1 ms delay, its proxy", tool: "air", air: airBuild + "[proxy]\nenabled = true\nproxy_port = %d\napp_port = %d\n"},
	}
}

func compare(ctx context.Context, repo string, rounds, restarts int) error {
	work, err := os.MkdirTemp("", "devguard-restarts-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	all := contenders()
	for _, c := range all {
		c.bin = filepath.Join(work, c.tool)
		if err := run.Build(ctx, repo, c.tool, c.bin, os.Environ()); err != nil {
			return err
		}
	}
	for round := range rounds {
		for _, i := range rand.Perm(len(all)) {
			c := all[i]
			fmt.Fprintf(os.Stderr, "round %d of %d: %s\n", round+1, rounds, c.name)
			if err := c.turn(ctx, work, restarts); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	report(all)
	return nil
}

// turn starts the contender on an app of its own, restarts that under load, and measures what it
// costs.
func (c *contender) turn(ctx context.Context, work string, restarts int) (err error) {
	dir, err := os.MkdirTemp(work, "app-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	a, err := start(ctx, c, dir)
	if err != nil {
		return err
	}
	defer a.stop()
	clients := load(a.url)
	for range restarts {
		served, err := a.save(ctx)
		if err != nil {
			clients.stop()
			return err
		}
		c.seen.served = append(c.seen.served, served)
		run.Pause(ctx, 500*time.Millisecond)
	}
	c.seen.add(clients.stop())
	if c.cost {
		return c.paid.measure(ctx, a)
	}
	return ctx.Err()
}
