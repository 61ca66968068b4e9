package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/devguard/devguard/supervisor/build"
	"github.com/devguard/devguard/supervisor/fastbuild"
	"github.com/devguard/devguard/supervisor/graph"

	"example.com/bench/run"
)

// report prints a project's table, in Markdown. Times are medians [quartiles].
func report(w io.Writer, p *project, all []*contender) {
	fmt.Fprintf(w, "\n%s; %d cores, load %s:\n\n", p.does, runtime.NumCPU(), load())
	columns := []string{start, known, watches, memory, idling, mainSave, leafSave, working, after, overflow, rescan, checkout}
	var used []string
	for _, c := range columns {
		for _, by := range all {
			if len(by.seen[c]) > 0 {
				used = append(used, c)
				break
			}
		}
	}
	fmt.Fprintf(w, "| | %s |\n|%s\n", strings.Join(used, " | "), strings.Repeat(" --- |", len(used)+1))
	for _, c := range all {
		cells := []string{c.name}
		for _, column := range used {
			cells = append(cells, c.cell(column))
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
	}
}

func (c *contender) cell(column string) string {
	switch column {
	case known, idling:
		return run.Spread(c.seen[column], "%.1f")
	case memory:
		text := highest(c.seen[memory]) + " (" + highest(c.seen[peak]) + ")"
		if c.seen[guardian] != nil {
			text += " + " + highest(c.seen[guardian])
		}
		return strings.ReplaceAll(text, "- (-)", "-")
	case after:
		return strings.ReplaceAll(highest(c.seen[after])+" ("+highest(c.seen[after+peak])+")", "- (-)", "-")
	case watches:
		return highest(c.seen[column])
	}
	return run.Spread(c.seen[column], "%.0f")
}

func highest(xs []float64) string {
	if len(xs) == 0 {
		return "-"
	}
	most := xs[0]
	for _, x := range xs {
		most = max(most, x)
	}
	return fmt.Sprintf("%.0f", most)
}

func load() string {
	text, _ := os.ReadFile("/proc/loadavg")
	if fields := strings.Fields(string(text)); len(fields) > 1 {
		return fields[0]
	}
	return "unknown"
}

// reportPlan prints what the graph of the program, and the plan of fast builds, cost by themselves.
func reportPlan(ctx context.Context, w io.Writer, dir, work string) error {
	begun := time.Now()
	g, err := graph.Load(ctx, graph.Request{Dir: dir})
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\ngraph.Load: %d files, %.0f ms.\n", len(g.Files), run.Milliseconds(time.Since(begun)))
	before := heap()
	begun = time.Now()
	plan, err := record(ctx, dir, work)
	if err != nil {
		return err
	}
	took := time.Since(begun)
	fmt.Fprintf(w, "fastbuild.Record: %.0f ms, a plan of %.1f MB.\n", run.Milliseconds(took), float64(heap()-before)/(1<<20))
	var looks []float64
	for range 20 {
		begun := time.Now()
		if _, err := plan.Look(); err != nil {
			return err
		}
		looks = append(looks, run.Milliseconds(time.Since(begun)))
	}
	fmt.Fprintf(w, "Plan.Look: %s ms.\n", run.Spread(looks, "%.1f"))
	return nil
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// record has the go command build, and records the plan of that. What the build took is not part of the time.
func record(ctx context.Context, dir, work string) (*fastbuild.Plan, error) {
	none := ""
	req := build.Request{Dir: dir, Goflags: &none, Again: true, Tmp: filepath.Join(work, "tmp"), Out: filepath.Join(work, "program"), Objects: filepath.Join(work, "objects")}
	began := time.Now()
	res := build.Run(ctx, req)
	if res.Err != nil {
		return nil, res.Err
	}
	flags, err := build.BuildFlags(req, none)
	if err != nil {
		return nil, err
	}
	return fastbuild.Record(ctx, fastbuild.Request{
		Dir: dir, Flags: flags, Tmp: filepath.Join(work, "record"), Linked: filepath.Join(req.Objects, build.LinkedBy), Began: began,
		Same: func(program string) (bool, error) {
			digest, err := build.Digest(program)
			return digest == res.Digest, err
		},
	})
}
