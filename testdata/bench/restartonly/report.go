package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"example.com/bench/run"
)

func report(out io.Writer, o options, hand *byHand, all []*guarded) {
	w := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	fmt.Fprintf(w, "Restart without a build, by %s, %d rounds: ms, median and quartiles.\n\n", o.by, o.rounds)
	var sum []time.Duration
	for i := range hand.stopped {
		sum = append(sum, hand.stopped[i]+hand.started[i])
	}
	fmt.Fprintf(w, "By hand: %s, of that SIGTERM to exit %s, exec to the first answer %s.\n\n",
		spread(sum), spread(hand.stopped), spread(hand.started))
	fmt.Fprintln(w, "| devguard\t| until ready, by its log\t| more than by hand\t| until served, by a client\t| more than by hand\t|")
	fmt.Fprintln(w, "| ---\t| ---\t| ---\t| ---\t| ---\t|")
	for _, g := range all {
		log := g.part(whole)
		fmt.Fprintf(w, "| %s\t| %s\t| %s\t| %s\t| %s\t|\n", g.name, spread(log), spread(more(log, sum)), spread(g.byClient), spread(more(g.byClient, sum)))
	}
	fmt.Fprint(w, "\nEach part of it, by the log, from the one before:\n\n| devguard\t|")
	for _, msg := range parts {
		fmt.Fprintf(w, " %s\t|", msg)
	}
	fmt.Fprintln(w, "\n|"+strings.Repeat(" ---\t|", len(parts)+1))
	for _, g := range all {
		fmt.Fprintf(w, "| %s\t|", g.name)
		for _, msg := range parts {
			fmt.Fprintf(w, " %s\t|", spread(g.part(msg)))
		}
		fmt.Fprintln(w)
	}
	w.Flush()
}

// part returns how long one took, of the restarts that had it.
func (g *guarded) part(name string) (all []time.Duration) {
	for _, t := range g.byLog {
		if d, ok := t[name]; ok {
			all = append(all, d)
		}
	}
	return all
}

// more returns what each round took more than by hand.
func more(guarded, hand []time.Duration) (all []time.Duration) {
	for i, d := range guarded {
		all = append(all, d-hand[i])
	}
	return all
}

func spread(all []time.Duration) string {
	var ms []float64
	for _, d := range all {
		ms = append(ms, run.Milliseconds(d))
	}
	return run.Spread(ms, "%.1f")
}
