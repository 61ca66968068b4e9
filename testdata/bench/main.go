// Bench measures how long a saved file takes to be served, and how many
// requests fail meanwhile, under devguard and under what people use today: air,
// reflex, wgo, each at its defaults and at its best settings, and by hand: a
// plain `go build`, then the old process stopped and the new one started.
//
// Every tool runs the shop of testdata/shop in a copy of its own, all at the
// same time, and in each round, in a random order, every tool gets every edit, so
// that a noisy machine is noisy for all alike. What devguard does in the background is over
// before another tool is measured.
// Numbers are for comparison within one run.
//
//	go -C testdata/bench run . [-subject shop|small|mid|large] [-edits NAME,...] [-rounds N] [-only floor,devguard,...] [-before CHECKOUT]
//
// The shop needs a Postgres: that of DATABASE_URL, where it makes and drops a
// database of its own, else a throwaway server made with the programs installed
// here.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"example.com/bench/run"
)

func main() {
	var o options
	var only, edits, name string
	flag.IntVar(&o.rounds, "rounds", 10, "measurements of each edit under each tool")
	flag.StringVar(&o.repo, "repo", "../..", "devguard's repository")
	flag.StringVar(&only, "only", "", "the tools to measure, as a comma list (the floor always is)")
	flag.StringVar(&edits, "edits", "", "the edits to make, as a comma list of the table's columns (the first always is)")
	flag.StringVar(&o.before, "before", "", "another checkout of devguard, measured beside this one")
	flag.StringVar(&name, "subject", "shop", "what is edited: shop, or small, mid, large, which serve at once and need no database")
	flag.BoolVar(&o.keep, "keep", false, "keep the work directory with the tools' logs")
	flag.Parse()
	o.only, o.edits = run.Words(only), run.Words(edits)
	if i := slices.IndexFunc(subjects, func(s subject) bool { return s.name == name }); i >= 0 {
		o.subject = subjects[i]
	}
	if err := o.check(flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "bench: error:", err)
		os.Exit(2)
	}
	run.Main("bench", func(ctx context.Context) error { return compare(ctx, o) })
}

type options struct {
	rounds int
	repo   string
	before string
	only   []string
	edits  []string
	keep   bool

	subject subject
}

func (o options) check(args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("what is %q? There are flags only", args[0])
	}
	if o.rounds < 1 {
		return errors.New("-rounds is below 1")
	}
	if o.subject.name == "" {
		return errors.New("-subject is shop, small, mid or large")
	}
	var names []string
	for _, c := range contenders(o.subject.pkg) {
		names = append(names, c.name)
	}
	for _, name := range o.only {
		if !slices.Contains(names, name) {
			return fmt.Errorf("-only: there is no %q: want some of %s", name, strings.Join(names, ", "))
		}
	}
	for _, name := range o.edits {
		if !slices.ContainsFunc(o.subject.edits, func(e edit) bool { return e.name == name }) {
			return fmt.Errorf("-edits: there is no %q for %s", name, o.subject.name)
		}
	}
	return nil
}

// edited is the subject with the edits that were asked for.
func (o options) edited() subject {
	s := o.subject
	if len(o.edits) > 0 {
		s.edits = slices.DeleteFunc(slices.Clone(s.edits), func(e edit) bool { return e.name != s.edits[0].name && !slices.Contains(o.edits, e.name) })
	}
	return s
}

// ownDir is where our own go.mod is, which pins the peers.
func (o options) ownDir() string { return filepath.Join(o.repo, "testdata", "bench") }

func (o options) chosen() []contender {
	var out []contender
	for _, c := range contenders(o.subject.pkg) {
		if c.name == floorName || len(o.only) == 0 || slices.Contains(o.only, c.name) {
			out = append(out, c)
		}
	}
	if o.before != "" {
		out = append(out, before(o.before, o.subject.pkg))
	}
	return out
}

// compare prepares everything, measures, prints the table, and leaves nothing
// behind. When ctx ends, the table is of the rounds so far.
func compare(ctx context.Context, o options) (err error) {
	work, err := os.MkdirTemp("", "devguard-bench-")
	if err != nil {
		return err
	}
	if work, err = filepath.EvalSymlinks(work); err != nil {
		return err
	}
	if !o.keep {
		defer os.RemoveAll(work)
	}
	adoptOrphans()
	defer killOrphans()
	say("work directory %s", work)

	url := ""
	if o.subject.database {
		db, err := run.OpenDatabase(ctx, work)
		if err != nil {
			return err
		}
		defer db.Close()
		url = db.URL
	}
	b, err := prepare(ctx, o, work, url)
	if err != nil {
		return err
	}
	defer b.stop()
	if err := b.start(ctx); err != nil {
		return err
	}
	err = b.measureAll(ctx, o.rounds)
	if err != nil && ctx.Err() == nil {
		return err
	}
	b.stop()
	return errors.Join(err, b.report(context.WithoutCancel(ctx), os.Stdout, o))
}

// say tells the person who waits; the table alone goes to stdout.
func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
