package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"example.com/bench/run"
)

// patience is how long a save may take to be served before we call it lost.
const patience = 15 * time.Second

// verifyPatience is how long devguard may take to come to rest after a save.
const verifyPatience = 2 * time.Minute

// bench is one run: each contender with its own copy of the shop.
type bench struct {
	subject subject
	env     []string
	entries []*entry
}

// entry is a contender at work.
type entry struct {
	contender
	subject subject
	shop    string // its copy
	url     string // where its shop answers
	log     string
	env     []string
	program string // of its tool

	tool  *run.Process // nil for the floor
	floor *floor       // nil for the others

	samples map[string][]sample // by the name of the edit, one a round
	starts  []time.Duration     // floor: from exec to the first answer
	builds  []time.Duration     // floor: after an edit of Go source
	deaf    map[string]bool     // edits that it did not serve in time
}

// prepare builds the tools, copies the shop for each, and fills the database.
func prepare(ctx context.Context, o options, work, database string) (*bench, error) {
	repo, err := filepath.Abs(o.repo)
	if err != nil {
		return nil, err
	}
	env, err := environment(work, database)
	if err != nil {
		return nil, err
	}
	b := &bench{subject: o.edited(), env: env}
	for _, c := range o.chosen() {
		e := &entry{contender: c, subject: b.subject, samples: map[string][]sample{}, deaf: map[string]bool{}}
		if err := e.prepare(ctx, repo, work, env); err != nil {
			return nil, fmt.Errorf("prepare %s: %w", c.name, err)
		}
		b.entries = append(b.entries, e)
	}
	if !o.subject.database {
		return b, nil
	}
	say("migrating the database")
	return b, run.Do(ctx, b.entries[0].shop, env, "go", "run", "./cmd/migrate")
}

func (e *entry) prepare(ctx context.Context, repo, work string, env []string) error {
	say("preparing %s", e.name)
	dir := filepath.Join(work, e.name)
	var err error
	if e.shop, err = e.subject.copy(ctx, repo, dir, env); err != nil {
		return err
	}
	if err := e.configure(e.shop); err != nil {
		return err
	}
	if err := commit(ctx, dir, env); err != nil {
		return err
	}
	port, err := run.FreePort()
	if err != nil {
		return err
	}
	e.url = fmt.Sprintf("http://127.0.0.1:%d", port)
	e.env = append(env[:len(env):len(env)], "PORT="+strconv.Itoa(port))
	e.log = filepath.Join(work, e.name+".log")
	if e.contender.tool == "" {
		e.floor = &floor{shop: e.shop, log: e.log, pkg: e.subject.pkg, env: e.env}
		return nil
	}
	e.program = filepath.Join(work, "bin", e.contender.tool)
	if e.contender.repo != "" {
		e.program = filepath.Join(work, "bin", e.name)
		repo = e.contender.repo
	}
	return run.Build(ctx, repo, e.contender.tool, e.program, env)
}

// start starts every contender and waits until each shop answers.
func (b *bench) start(ctx context.Context) error {
	for _, e := range b.entries {
		say("starting %s", e.name)
		if err := e.start(ctx); err != nil {
			return fmt.Errorf("start %s: %w", e.name, err)
		}
		// The first build of each copy compiles the packages of its module.
		first := b.subject.edits[0]
		if err := e.await(ctx, first.path, first.word+"-", 10*time.Minute); err != nil {
			return fmt.Errorf("start %s: %w", e.name, err)
		}
		if err := e.rest(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (e *entry) start(ctx context.Context) (err error) {
	if e.floor != nil {
		return e.floor.reload(ctx)
	}
	e.tool, err = run.Start(e.shop, e.log, e.env, nil, append([]string{e.program}, e.args...)...)
	return err
}

// stop ends every contender that runs, as Ctrl-C would.
func (b *bench) stop() {
	for _, e := range b.entries {
		if e.tool != nil {
			e.tool.Stop(syscall.SIGINT, 10*time.Second)
			e.tool = nil
		}
		if e.floor != nil {
			e.floor.stop()
		}
	}
}

// measureAll measures every edit under every contender, in interleaved rounds,
// each in a random order: who comes after whom may matter.
// Round 0 warms up, and finds out who does not serve which edit at all.
func (b *bench) measureAll(ctx context.Context, rounds int) error {
	for round := range rounds + 1 {
		say("round %d of %d", round, rounds)
		for _, i := range rand.Perm(len(b.entries)) {
			if err := b.entries[i].turn(ctx, round); err != nil {
				return err
			}
		}
	}
	return nil
}

// turn is a contender's part of a round. Nothing of it goes on beside the next one's.
func (e *entry) turn(ctx context.Context, round int) error {
	for nth, ed := range e.subject.edits {
		if e.deaf[ed.name] {
			continue
		}
		s, err := e.measure(ctx, ed, fmt.Sprintf("r%03d%c", round, 'a'+nth)) // several edits change one word
		if err != nil {
			return fmt.Errorf("%s, %s: %w", e.name, ed.name, err)
		}
		if !s.served {
			say("%s did not serve the edit of the %s in %s", e.name, ed.name, e.subject.patience)
			e.deaf[ed.name] = true
		}
		if round > 0 {
			e.record(ed, s)
		}
	}
	return e.rest(ctx)
}

// rest waits until devguard has built a second time, with the least priority, what it has built last.
func (e *entry) rest(ctx context.Context) error {
	for end := time.Now().Add(verifyPatience); e.verifies; {
		text, err := os.ReadFile(e.log)
		switch {
		case err != nil:
			return err
		case bytes.Contains(text, []byte(`"msg":"build differs"`)):
			return fmt.Errorf("%s has built another program than the go command", e.name)
		case bytes.LastIndex(text, []byte(`"msg":"build verified"`)) > bytes.LastIndex(text, []byte(`"msg":"build finished"`)):
			return nil
		case time.Now().After(end):
			say("%s verifies nothing", e.name)
			e.verifies = false
		}
		if err := run.Pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

func (e *entry) record(ed edit, s sample) {
	e.samples[ed.name] = append(e.samples[ed.name], s)
	if e.floor != nil {
		if ed.isSource() {
			e.builds = append(e.builds, e.floor.built)
		}
		e.starts = append(e.starts, s.at.Sub(e.floor.started))
	}
}
