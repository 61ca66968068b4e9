package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

// quartiles are the middle of a row of numbers.
type quartiles struct{ q1, median, q3 float64 }

// summarize returns the quartiles of xs, interpolated between neighbours; zero
// for no numbers.
func summarize(xs []float64) quartiles {
	if len(xs) == 0 {
		return quartiles{}
	}
	xs = slices.Sorted(slices.Values(xs))
	at := func(p float64) float64 {
		x := p * float64(len(xs)-1)
		i := int(x)
		next := min(i+1, len(xs)-1)
		return xs[i] + (x-float64(i))*(xs[next]-xs[i])
	}
	return quartiles{q1: at(0.25), median: at(0.5), q3: at(0.75)}
}

func (q quartiles) String() string { return fmt.Sprintf("%.2f [%.2f-%.2f]", q.median, q.q1, q.q3) }

// ratios divides each sample by the other of the same round.
func ratios(samples, of []time.Duration) (out []float64) {
	for i := range min(len(samples), len(of)) {
		out = append(out, float64(samples[i])/float64(of[i]))
	}
	return out
}

// inverse is the ratio of throughputs to one of times.
func (q quartiles) inverse() quartiles { return quartiles{1 / q.q3, 1 / q.median, 1 / q.q1} }

// report prints what was measured, in Markdown.
func (b *bench) report(w io.Writer, before, after string) {
	fmt.Fprintf(w, "Time as a ratio to a direct connection in the same round (of COPY: the ratio of throughputs), medians [quartiles] of\n")
	fmt.Fprintf(w, "%d rounds (COPY: %d); direct itself in µs (COPY: MB/s). Load average at begin and end: %s; %s. %s.\n\n",
		b.rounds, (b.rounds+5)/6, before, after, b.machine())
	head := []string{""}
	for _, m := range b.measures {
		head = append(head, m.does)
	}
	line(w, head)
	line(w, slices.Repeat([]string{"---"}, len(head)))
	for _, t := range b.targets {
		line(w, b.cells(t))
	}
	fmt.Fprintln(w)
	for _, e := range expectations {
		if said := b.judge(e); said != "" {
			fmt.Fprintln(w, said)
		}
	}
}

func line(w io.Writer, cells []string) { fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | ")) }

// cells are a target's line of the table.
func (b *bench) cells(t *target) []string {
	out := []string{t.does}
	for _, m := range b.measures {
		samples, base := t.samples[m.name], b.targets[0].samples[m.name]
		switch {
		case len(samples) == 0:
			out = append(out, "-")
		case t.name == direct:
			out = append(out, absolute(m, samples))
		default:
			out = append(out, m.ratio(samples, base).String())
		}
	}
	return out
}

// ratio compares samples with others in the unit of the measure.
func (m measure) ratio(samples, of []time.Duration) quartiles {
	q := summarize(ratios(samples, of))
	if m.rare {
		return q.inverse()
	}
	return q
}

func absolute(m measure, samples []time.Duration) string {
	var us []float64
	for _, d := range samples {
		us = append(us, float64(d)/float64(time.Microsecond))
	}
	if q := summarize(us); m.rare {
		return fmt.Sprintf("%.0f MB/s", copied/q.median)
	} else {
		return fmt.Sprintf("%.0f µs", q.median)
	}
}

// expectation is what issue and README promise of a target.
type expectation struct {
	says            string
	measure         string
	target, against string
	most, least     float64 // one of them
}

var expectations = []expectation{
	{says: "mode session, one-row select, of PgBouncer's time", measure: "one-row", target: "session", against: "pgbouncer", most: 1},
	{says: "dialled ahead, of a direct connect", measure: login, target: "ahead", against: direct, most: 0.15},
	{says: "mode session, COPY out, of direct throughput", measure: "copy-out", target: "session", against: direct, least: 0.8},
	{says: "mode session, COPY in, of direct throughput", measure: "copy-in", target: "session", against: direct, least: 0.8},
}

// judge says whether an expectation is met; "" when it was not measured.
func (b *bench) judge(e expectation) string {
	samples, of := b.find(e.target).samples[e.measure], b.find(e.against).samples[e.measure]
	if len(samples) == 0 || len(of) == 0 {
		return ""
	}
	i := slices.IndexFunc(measures, func(m measure) bool { return m.name == e.measure })
	q := measures[i].ratio(samples, of)
	bound := fmt.Sprintf("at most %.2f", e.most)
	met := q.median <= e.most
	if e.least > 0 {
		bound, met = fmt.Sprintf("at least %.2f", e.least), q.median >= e.least
	}
	verdict := "met"
	if !met {
		verdict = "NOT met"
	}
	return fmt.Sprintf("%s: %s, expected %s: %s", e.says, q, bound, verdict)
}

// find returns a target by name, an empty one when it is not there.
func (b *bench) find(name string) *target {
	if i := slices.IndexFunc(b.targets, func(t *target) bool { return t.name == name }); i >= 0 {
		return b.targets[i]
	}
	return &target{}
}

// machine says what was measured on.
func (b *bench) machine() string {
	said := fmt.Sprintf("Postgres %s, %s %s/%s, %d cores", b.version, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	for _, program := range []string{"pgbouncer", "/usr/sbin/pgbouncer"} {
		if out, err := exec.Command(program, "--version").Output(); err == nil {
			first, _, _ := strings.Cut(string(out), "\n")
			return first + ", " + said
		}
	}
	return said
}

// load is the load average of the machine, where the system tells it so.
func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(b))[:2], " ")
}
