// Scale measures what large projects cost: a small app beside a tree of many directories that nothing names, the
// same app with a tree that watch.include names as a whole, and a program of many packages. Each is run by hand
// (`go build`, stop, start), under devguard, devguard that polls, and air, one after the other in a random order each
// round, in the same tree: numbers are for comparison within one run.
//
//	go -C testdata/bench run ./scale [-dirs N] [-packages N] [-rounds N] [-saves N] [-idle D] [-only beside,matched,packages] [-before CHECKOUT]
//
// Processes are looked at in /proc, so that it wants Linux; and a gigabyte of disk, and half an hour.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"example.com/bench/run"
)

type options struct {
	dirs, packages, rounds, saves int
	idle                          time.Duration
	repo, before, only, without   string
	work                          string
}

func main() {
	var o options
	flag.IntVar(&o.dirs, "dirs", 50_000, "directories of the tree, with four files each")
	flag.IntVar(&o.packages, "packages", 1_500, "packages of the program")
	flag.IntVar(&o.rounds, "rounds", 3, "how often each contender has its turn")
	flag.IntVar(&o.saves, "saves", 100, "saves in the first turn under devguard; a tenth in any other")
	flag.DurationVar(&o.idle, "idle", 20*time.Second, "how long the processor time of doing nothing is taken")
	flag.StringVar(&o.repo, "repo", "../..", "devguard's repository")
	flag.StringVar(&o.before, "before", "", "another checkout of devguard, measured beside this one")
	flag.StringVar(&o.only, "only", "", "the projects, as a comma list")
	flag.StringVar(&o.without, "without", "", "contenders to leave out, as a comma list")
	flag.StringVar(&o.work, "work", "", "a directory that is kept, with the logs and the projects, which a later run finds there")
	flag.Parse()
	run.Main("scale", func(ctx context.Context) error { return compare(ctx, o) })
}

func compare(ctx context.Context, o options) error {
	work := o.work
	if work == "" {
		var err error
		if work, err = os.MkdirTemp("", "devguard-scale-"); err != nil {
			return err
		}
		defer os.RemoveAll(work)
	}
	for _, p := range projects(o) {
		if o.only != "" && !slices.Contains(strings.Split(o.only, ","), p.name) {
			continue
		}
		if err := o.measure(ctx, p, work); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

// measure has every contender run a project, and prints its table.
func (o options) measure(ctx context.Context, p *project, work string) error {
	dir := filepath.Join(work, p.name)
	if _, err := os.Stat(dir); err != nil {
		say("growing %s", p.name)
		if err := p.make(ctx, dir); err != nil {
			return err
		}
	}
	if o.work == "" {
		defer os.RemoveAll(dir)
	}
	all := contenders(o, p)
	for _, c := range all {
		if err := c.build(ctx, o, work); err != nil {
			return err
		}
	}
	defer report(os.Stdout, p, all) // of what there is, also when it is interrupted
	for round := range o.rounds {
		for _, i := range rand.Perm(len(all)) {
			c := all[i]
			say("%s, round %d of %d: %s", p.name, round+1, o.rounds, c.name)
			t := turn{project: p, contender: c, dir: dir, log: filepath.Join(work, fmt.Sprintf("%s-%d.log", p.name, i)), idle: o.idle, saves: max(o.saves/10, 3)}
			if round == 0 && c.long {
				t.saves = o.saves
			}
			if err := t.run(ctx); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	if p.planned {
		return reportPlan(ctx, os.Stdout, dir, work)
	}
	return nil
}

// say tells the person who waits; the tables alone go to stdout.
func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
