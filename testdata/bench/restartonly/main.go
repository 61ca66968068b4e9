// Restartonly measures a restart without a build: a template is saved, or the restart is asked for, and
// the program that serves is stopped, its database sessions are ended, and it is started again. Under
// devguard, by its log and by what a client sees, and by hand: SIGTERM until the same program has exited,
// then exec until it gives its first answer, with the same environment and the same Postgres. The
// difference is what devguard adds. A restart that is asked for comes after a build, which is left out.
//
// The contenders take turns, in a random order each round, so that a noisy machine is noisy for all
// alike. Numbers are for comparison within one run.
//
//	go -C testdata/bench run ./restartonly [-rounds N] [-by save|request] [-database=false] [-only WORD,...] [-before CHECKOUT,...]
//
// The shop needs a Postgres: that of DATABASE_URL, where a database is made and dropped, else a throwaway
// server made with the programs installed here. With -database=false a program of a few lines is
// restarted instead, which has none.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"example.com/bench/run"
)

func main() {
	var o options
	var only, before string
	flag.IntVar(&o.rounds, "rounds", 30, "restarts of each contender by the log, and as many by a client")
	flag.StringVar(&o.by, "by", "save", "what asks for the restart: save, of a template, or request, what `devguard restart` makes")
	flag.BoolVar(&o.database, "database", true, "restart the shop, over Postgres; else a program of a few lines without a database")
	flag.StringVar(&o.repo, "repo", "../..", "devguard's repository")
	flag.StringVar(&only, "only", "", "contenders with one of these words in their names, as a comma list")
	flag.StringVar(&before, "before", "", "other checkouts of devguard, measured beside this one, as a comma list")
	flag.BoolVar(&o.keep, "keep", false, "keep the work directory with the logs")
	flag.Parse()
	o.only, o.before = run.Words(only), run.Words(before)
	if err := o.check(flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "restartonly: error:", err)
		os.Exit(2)
	}
	run.Main("restartonly", func(ctx context.Context) error { return compare(ctx, o) })
}

type options struct {
	rounds   int
	by       string
	database bool
	repo     string
	only     []string
	before   []string
	keep     bool
}

func (o options) check(args []string) error {
	switch {
	case len(args) > 0:
		return fmt.Errorf("what is %q? There are flags only", args[0])
	case o.rounds < 1:
		return errors.New("-rounds is below 1")
	case o.by != bySave && o.by != byRequest:
		return fmt.Errorf("-by %s: want %s or %s", o.by, bySave, byRequest)
	}
	return nil
}

// What asks for a restart.
const (
	bySave    = "save"
	byRequest = "request"
)

// contender is devguard with some settings.
type contender struct {
	name string
	repo string // another checkout; "" is this one
	toml string // of its devguard.toml
}

func (o options) contenders() []contender {
	const held, direct = "hold_sockets = false\n", "[[database]]\nmode = \"off\"\n"
	all := []contender{
		{name: "as it comes"},
		{name: "sockets not held", toml: held},
		{name: "no fast builds", toml: "[build]\nfast = \"off\"\n"},
	}
	if o.database {
		all = append(all, contender{name: "no guard", toml: direct}, contender{name: "no guard, sockets not held", toml: held + direct})
	}
	for _, repo := range o.before {
		all = append(all, contender{name: filepath.Base(repo), repo: repo})
	}
	var chosen []contender
	for _, c := range all {
		wanted := len(o.only) == 0
		for _, word := range o.only {
			wanted = wanted || strings.Contains(c.name, word)
		}
		if wanted || c.repo != "" {
			chosen = append(chosen, c)
		}
	}
	return chosen
}

func compare(ctx context.Context, o options) error {
	work, err := os.MkdirTemp("", "devguard-restartonly-")
	if err != nil {
		return err
	}
	if work, err = filepath.EvalSymlinks(work); err != nil {
		return err
	}
	if o.keep {
		fmt.Fprintln(os.Stderr, "work directory", work)
	} else {
		defer os.RemoveAll(work)
	}
	env := environment("")
	if o.database {
		db, err := run.OpenDatabase(ctx, work)
		if err != nil {
			return err
		}
		defer db.Close()
		env = environment(db.URL)
	}
	hand, all, err := prepare(ctx, o, work, env)
	if err != nil {
		return err
	}
	defer hand.stop()
	for _, g := range all {
		defer g.stop()
	}
	for round := range o.rounds + 1 { // the first warms up
		fmt.Fprintf(os.Stderr, "round %d of %d\n", round, o.rounds)
		if err := turn(ctx, o, hand, all, round); err != nil {
			return err
		}
	}
	report(os.Stdout, o, hand, all)
	return nil
}

// rest is what a contender gets after each restart to do what it does then, and the machine to be quiet.
const rest = 300 * time.Millisecond

// turn has each contender restart its program, those with devguard twice: one is timed by its log, and
// nobody else asks anything, the other by a client.
func turn(ctx context.Context, o options, hand *byHand, all []*guarded, round int) error {
	measures := []func() error{func() error { return hand.restart(ctx, round) }}
	for _, g := range all {
		measures = append(measures, func() error { return g.restartByLog(ctx, o.by, round) })
	}
	if err := inTurns(ctx, measures); err != nil {
		return err
	}
	measures = nil
	for _, g := range all {
		measures = append(measures, func() error { return g.restartByClient(ctx, o.by, round) })
	}
	return inTurns(ctx, measures)
}

func inTurns(ctx context.Context, measures []func() error) error {
	for _, i := range rand.Perm(len(measures)) {
		if err := measures[i](); err != nil {
			return err
		}
		run.Pause(ctx, rest)
	}
	return ctx.Err()
}

// environment is ours without what a contender is told of otherwise.
func environment(database string) []string {
	var env []string
	for _, kv := range os.Environ() {
		switch name, _, _ := strings.Cut(kv, "="); name {
		case "PWD", "PORT", "HOST", "DATABASE_URL", "DIRECT_URL", "SUPABASE_DATABASE_URL":
		default:
			env = append(env, kv)
		}
	}
	return append(env, "HOST=127.0.0.1", "DATABASE_URL="+database)
}
