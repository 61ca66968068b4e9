package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"

	"example.com/bench/run"
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

func (q quartiles) String() string {
	return fmt.Sprintf("%.0f [%.0f-%.0f]", q.median, q.q1, q.q3)
}

// latencies returns the milliseconds of the samples that were served.
func latencies(samples []sample) (ms []float64) {
	for _, s := range samples {
		if s.served {
			ms = append(ms, run.Milliseconds(s.latency))
		}
	}
	return ms
}

// ratios divides each sample by the floor's of the same round.
func ratios(samples, floor []sample) (out []float64) {
	for i := range min(len(samples), len(floor)) {
		if samples[i].served && floor[i].served {
			out = append(out, run.Milliseconds(samples[i].latency)/run.Milliseconds(floor[i].latency))
		}
	}
	return out
}

// report prints what was measured, in Markdown.
func (b *bench) report(ctx context.Context, w io.Writer, o options) error {
	machine, err := machine(ctx, o.ownDir())
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "From a save to the first answer of the new state, milliseconds, and the ratio to a plain `go build` by hand in the\n")
	fmt.Fprintf(w, "same round: medians [quartiles] of %d rounds. Failed: requests without a good answer, of one every %d ms, a save of\n", b.rounds(), every.Milliseconds())
	fmt.Fprintf(w, "Go source. Edited is %s. %s.\n\n", b.subject.does, machine)
	head := []string{""}
	for _, ed := range b.subject.edits {
		head = append(head, ed.name)
	}
	head = append(head, "failed")
	row(w, head)
	row(w, slices.Repeat([]string{"---"}, len(head)))
	for _, e := range b.entries {
		row(w, b.cells(e))
	}
	fmt.Fprintln(w)
	return b.account(w)
}

// rounds is how many are whole.
func (b *bench) rounds() int {
	last := b.subject.edits[len(b.subject.edits)-1]
	return len(b.entries[0].samples[last.name])
}

func row(w io.Writer, cells []string) { fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | ")) }

// cells are a contender's line of the table.
func (b *bench) cells(e *entry) []string {
	out := []string{e.does}
	var failed []float64
	for _, ed := range b.subject.edits {
		if e.deaf[ed.name] {
			out = append(out, "not served") // within patience, in round 0
			continue
		}
		samples := e.samples[ed.name]
		for _, s := range samples {
			if ed.isSource() && !ed.silent {
				failed = append(failed, float64(s.failed))
			}
		}
		ratio := summarize(ratios(samples, b.entries[0].samples[ed.name]))
		cell := fmt.Sprintf("%.0f, **%.2f** [%.2f-%.2f]", summarize(latencies(samples)).median, ratio.median, ratio.q1, ratio.q3)
		if slices.ContainsFunc(samples, func(s sample) bool { return s.kept }) {
			cell += ", no restart"
		}
		out = append(out, cell)
	}
	return append(out, fmt.Sprintf("%.0f", summarize(failed).median))
}

// account compares where the time went by hand and, by its own log, in devguard:
// the build, and from the start of the process to its first answer, which is
// where the guardian's cost is.
func (b *bench) account(w io.Writer) error {
	floor := b.entries[0]
	var builds, starts []float64
	for _, d := range floor.builds {
		builds = append(builds, run.Milliseconds(d))
	}
	for _, d := range floor.starts {
		starts = append(starts, run.Milliseconds(d))
	}
	start := summarize(starts)
	fmt.Fprintf(w, "Of that, by hand: build %s, start to first answer %s.\n", summarize(builds), start)
	for _, e := range b.entries {
		if e.contender.tool != "devguard" {
			continue
		}
		builds, readies, err := ownAccount(e.log)
		if err != nil {
			return err
		}
		ready := summarize(readies)
		fmt.Fprintf(w, "devguard, by its own log: build %s, start to ready %s; start against a plain exec: %.2f.\n",
			summarize(builds), ready, ready.median/start.median)
	}
	return nil
}

// ownAccount reads the milliseconds of builds and starts from devguard's log.
func ownAccount(log string) (builds, readies []float64, err error) {
	f, err := os.Open(log)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var line struct {
			Msg string
			MS  float64
		}
		if json.Unmarshal(lines.Bytes(), &line) != nil {
			continue // the shop's own output
		}
		switch line.Msg {
		case "build finished":
			builds = append(builds, line.MS)
		case "instance ready":
			readies = append(readies, line.MS)
		}
	}
	return builds, readies, lines.Err()
}

// machine says what was measured on, and which versions; dir is that of our own
// go.mod.
func machine(ctx context.Context, dir string) (string, error) {
	version, err := exec.CommandContext(ctx, "go", "env", "GOVERSION").Output()
	if err != nil {
		return "", err
	}
	args := []string{"list", "-m", "-f", "{{.Path}} {{.Version}}"}
	for _, path := range []string{"air", "reflex", "wgo"} {
		args = append(args, run.Peers[path])
	}
	list := exec.CommandContext(ctx, "go", args...)
	list.Dir = dir
	tools, err := list.Output()
	if err != nil {
		return "", fmt.Errorf("versions of the peers: %w", err)
	}
	return fmt.Sprintf("%s %s/%s, %d cores; %s", strings.TrimSpace(string(version)), runtime.GOOS, runtime.GOARCH,
		runtime.NumCPU(), strings.Join(strings.Split(strings.TrimSpace(string(tools)), "\n"), ", ")), nil
}
