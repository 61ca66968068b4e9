package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"example.com/bench/run"
)

// contender is one way of running the program while it is edited.
type contender struct {
	name    string
	tool    string // devguard or air; "" for by hand
	repo    string // another checkout to build it from
	file    string // its configuration, which is .gitignored
	text    string
	args    []string
	long    bool // has the many saves
	fast    bool // builds fast, once it has seen how
	polls   bool
	program string

	seen map[string][]float64 // by what was measured, one value a turn or a save
}

const airBest = `root = "."
tmp_dir = "tmp"
[build]
cmd = "go build -buildvcs=false -ldflags=-w -o ./tmp/app ."
entrypoint = ["./tmp/app"]
include_ext = ["go", "sql"]
exclude_dir = ["tmp", "node_modules"]
delay = 1
stop_on_error = true
send_interrupt = true
kill_delay = "500ms"
`

func contenders(o options, p *project) []*contender {
	args := []string{"run", "--log-format", "json"}
	include := ""
	if p.name == "matched" {
		include = "include = [\"data/**/*.sql\"]\n"
	}
	all := []*contender{
		{name: "by hand: `go build`, stop, start"},
		{name: "**`devguard run`**", tool: "devguard", args: args, file: "devguard.toml", text: "[watch]\n" + include, long: true, fast: true},
		{name: "`devguard run`, `poll = \"1s\"`", tool: "devguard", args: args, file: "devguard.toml", text: "[watch]\npoll = \"1s\"\n" + include, polls: true, fast: true},
		{name: "`air`, 1 ms delay, `-ldflags=-w`", tool: "air", args: []string{"-c", ".air.toml"}, file: ".air.toml", text: airBest},
	}
	if p.planned {
		all = append(all, &contender{name: "`devguard run`, `fast = \"off\"`", tool: "devguard", args: args, file: "devguard.toml", text: "[build]\nfast = \"off\"\n"})
	}
	if o.before != "" {
		for _, c := range slices.Clone(all) {
			if c.tool == "devguard" {
				b := *c
				b.name, b.repo = "before: "+c.name, o.before
				all = append(all, &b)
			}
		}
	}
	left := strings.Split(o.without, ",")
	all = slices.DeleteFunc(all, func(c *contender) bool {
		return slices.ContainsFunc(left, func(part string) bool { return part != "" && strings.Contains(c.name, part) })
	})
	for _, c := range all {
		c.seen = map[string][]float64{}
	}
	return all
}

func (c *contender) build(ctx context.Context, o options, work string) error {
	if c.tool == "" {
		return nil
	}
	repo := o.repo
	c.program = filepath.Join(work, c.tool)
	if c.repo != "" {
		repo = c.repo
		c.program += "-before"
	}
	return run.Build(ctx, repo, c.tool, c.program, os.Environ())
}

// configure leaves in a project the configuration of this contender alone.
func (c *contender) configure(dir string) error {
	for _, name := range []string{"devguard.toml", ".air.toml", ".devguard", "tmp"} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	if c.file == "" {
		return nil
	}
	return os.WriteFile(filepath.Join(dir, c.file), []byte(c.text), 0o644)
}

func (c *contender) add(what string, value float64) { c.seen[what] = append(c.seen[what], value) }
