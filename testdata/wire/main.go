// Wire measures what standing between an app and its Postgres costs: devguard's
// guard in its modes, and PgBouncer in session mode as the peer, as ratios to a
// direct connection.
//
// Server, PgBouncers and guards are processes of their own (the guards are this
// program again), as in real life. Measurements are interleaved, each round in a
// random order, so that a noisy machine is noisy for all alike; each is compared
// with the direct one of its round. Numbers are for comparison within one run.
//
//	go -C testdata/wire run . [-rounds N] [-only session,pgbouncer,...] [-measure one-row,...]
//
// Beside the targets that are measured when nothing is said, -only knows floor (a
// proxy that is io.Copy alone) and loop (one that reads into a buffer and writes
// it): what Go itself costs.
//
// It needs initdb, postgres and pgbouncer installed; nothing is left of them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := start(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "wire: error:", err)
		os.Exit(1)
	}
}

// start is the benchmark, or one of the processes that it started.
func start(ctx context.Context) error {
	if role := os.Getenv(roleVariable); role != "" {
		return serve(ctx, role)
	}
	var o options
	flag.IntVar(&o.rounds, "rounds", 60, "measurements of each kind through each target; COPY has a sixth of that")
	flag.Func("only", "the targets to measure, as a comma list (direct always is)", list(&o.only))
	flag.Func("measure", "what to measure, as a comma list", list(&o.measure))
	flag.StringVar(&o.profiles, "profiles", "", "an existing directory for CPU profiles of guards and floors")
	flag.Parse()
	if err := o.check(flag.Args()); err != nil {
		return err
	}
	err := run(ctx, o)
	if ctx.Err() != nil { // what then fails is of no interest: Ctrl-C reaches the servers too
		return errors.New("interrupted")
	}
	return err
}

// list returns what reads a comma list into a slice.
func list(into *[]string) func(string) error {
	return func(s string) error {
		*into = strings.Split(s, ",")
		return nil
	}
}

type options struct {
	rounds   int
	only     []string
	measure  []string
	profiles string
}

func (o options) check(args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("what is %q? There are flags only", args[0])
	}
	if o.rounds < 1 {
		return errors.New("-rounds is below 1")
	}
	return errors.Join(known("-only", o.only, ways, func(w way) string { return w.name }),
		known("-measure", o.measure, measures, func(m measure) string { return m.name }))
}

// known says which of names is not that of one of all.
func known[T any](option string, names []string, all []T, name func(T) string) error {
	for _, n := range names {
		if !slices.ContainsFunc(all, func(x T) bool { return name(x) == n }) {
			var list []string
			for _, x := range all {
				list = append(list, name(x))
			}
			return fmt.Errorf("%s: there is no %q: want some of %s", option, n, strings.Join(list, ", "))
		}
	}
	return nil
}

// ways are those to measure: direct always, the hidden ones when named.
func (o options) ways() []way {
	return slices.DeleteFunc(slices.Clone(ways), func(w way) bool {
		return w.name != direct && !slices.Contains(o.only, w.name) && (w.hidden || len(o.only) > 0)
	})
}

// measures are those to take.
func (o options) measures() []measure {
	return slices.DeleteFunc(slices.Clone(measures), func(m measure) bool {
		return len(o.measure) > 0 && !slices.Contains(o.measure, m.name)
	})
}

// run starts everything, measures, prints the table, and leaves nothing behind,
// also when ctx ends.
func run(ctx context.Context, o options) (err error) {
	s := &stage{}
	defer s.close(&err)
	b := prepare(ctx, s, o)
	before := load()
	if err := b.measureAll(ctx, o.rounds); err != nil {
		return err
	}
	b.report(os.Stdout, before, load())
	return nil
}

// say tells the person who waits; the table alone goes to stdout.
func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
