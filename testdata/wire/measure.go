package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	items    = 10_000
	rows     = 1_000 // of the long select
	pipeline = 100
	copied   = 100 << 20 // bytes of a COPY
)

// measure is one kind of measurement.
type measure struct {
	name  string
	does  string // for the table
	batch int    // how often it is done in a round: the median is the round's
	rare  bool   // once in six rounds
	run   func(context.Context, *pgx.Conn) error
	after func(context.Context, *pgx.Conn) error // not timed; may be nil
}

// The two measurements of a connect; run is nil.
const (
	login  = "login"
	answer = "connect"
)

var measures = []measure{
	{name: "one-row", does: "one-row select", batch: 200, run: oneRow},
	{name: "rows", does: "1,000-row select", batch: 30, run: manyRows},
	{name: "pipeline", does: "pipeline of 100", batch: 15, run: pipelined},
	{name: login, does: "connect", batch: 1},
	{name: answer, does: "connect and first answer", batch: 1},
	{name: "copy-out", does: "COPY out of 100 MB", batch: 1, rare: true, run: copyOut},
	{name: "copy-in", does: "COPY in of 100 MB", batch: 1, rare: true, run: copyIn, after: forgetCopy},
}

const byID = "select id, name, price::text from items where id = $1"

func oneRow(ctx context.Context, c *pgx.Conn) error {
	return readItem(c.QueryRow(ctx, byID, 4711), 4711)
}

func readItem(row pgx.Row, want int) error {
	var id int
	var name, price string
	if err := row.Scan(&id, &name, &price); err != nil {
		return err
	}
	if id != want {
		return fmt.Errorf("item %d instead of %d", id, want)
	}
	return nil
}

func manyRows(ctx context.Context, c *pgx.Conn) error {
	result, err := c.Query(ctx, "select id, name, price::text from items where id <= $1", rows)
	if err != nil {
		return err
	}
	n := 0
	for result.Next() {
		n++
	}
	if result.Err() == nil && n != rows {
		return fmt.Errorf("%d rows", n)
	}
	return result.Err()
}

func pipelined(ctx context.Context, c *pgx.Conn) (err error) {
	var batch pgx.Batch
	for i := range pipeline {
		batch.Queue(byID, i+1)
	}
	results := c.SendBatch(ctx, &batch)
	defer func() { err = errors.Join(err, results.Close()) }()
	for i := range pipeline {
		if err := readItem(results.QueryRow(), i+1); err != nil {
			return err
		}
	}
	return nil
}

func copyOut(ctx context.Context, c *pgx.Conn) error {
	sql := fmt.Sprintf("copy (select repeat('x', 1023) from generate_series(1, %d)) to stdout", copied/1024)
	tag, err := c.PgConn().CopyTo(ctx, io.Discard, sql)
	return complete(tag.RowsAffected(), err)
}

func copyIn(ctx context.Context, c *pgx.Conn) error {
	tag, err := c.PgConn().CopyFrom(ctx, io.LimitReader(&lines{}, copied), "copy copied from stdin")
	return complete(tag.RowsAffected(), err)
}

func complete(lines int64, err error) error {
	if err == nil && lines != copied/1024 {
		err = fmt.Errorf("%d lines were copied", lines)
	}
	return err
}

func forgetCopy(ctx context.Context, c *pgx.Conn) error {
	_, err := c.Exec(ctx, "truncate copied")
	return err
}

// lines is endless text, in lines of 1 KiB.
type lines struct{ at int }

func (l *lines) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
		if l.at++; l.at%1024 == 0 {
			p[i] = '\n'
		}
	}
	return len(p), nil
}

// bench is one run.
type bench struct {
	targets  []*target // direct first
	measures []measure
	rounds   int
	version  string // of the server
	quiet    *pgx.Conn
}

func prepare(ctx context.Context, s *stage, o options) *bench {
	server := startServer(ctx, s)
	b := &bench{measures: o.measures(), rounds: o.rounds}
	for _, w := range o.ways() {
		say("opening %s", w.name)
		b.targets = append(b.targets, open(ctx, s, server, w, o.profiles))
	}
	b.quiet = b.targets[0].conn
	s.must(b.quiet.QueryRow(ctx, "show server_version").Scan(&b.version))
	return b
}

// measureAll takes every measure of every target, in interleaved rounds. Round 0
// warms up: its samples are thrown away.
func (b *bench) measureAll(ctx context.Context, rounds int) error {
	for round := range rounds + 1 {
		for _, m := range b.measures {
			if m.rare && round%6 != 1 && round > 0 {
				continue
			}
			for _, i := range rand.Perm(len(b.targets)) {
				if err := b.targets[i].measure(ctx, m, b); err != nil {
					return fmt.Errorf("%s, %s: %w", b.targets[i].name, m.name, err)
				}
			}
		}
		if round == 0 {
			for _, t := range b.targets {
				clear(t.samples)
			}
		}
		if round%10 == 0 {
			say("round %d of %d", round, rounds)
		}
	}
	return nil
}

// measure takes a round's sample. Connects yield both of theirs at the first.
func (t *target) measure(ctx context.Context, m measure, b *bench) error {
	switch {
	case m.run != nil && t.conn != nil:
		return t.exchange(ctx, m)
	case m.name == login, m.name == answer && !slices.ContainsFunc(b.measures, func(m measure) bool { return m.name == login }):
		return t.arrive(ctx, b.quiet)
	}
	return nil
}

// exchange measures over the open connection.
func (t *target) exchange(ctx context.Context, m measure) error {
	took := make([]time.Duration, 0, m.batch)
	for range m.batch {
		begin := time.Now()
		err := m.run(ctx, t.conn)
		took = append(took, time.Since(begin))
		if err == nil && m.after != nil {
			err = m.after(ctx, t.conn)
		}
		if err != nil {
			return err
		}
	}
	slices.Sort(took)
	t.samples[m.name] = append(t.samples[m.name], took[len(took)/2])
	return nil
}

// arrive measures a connect, once the end of the session before it no longer
// takes processor time.
func (t *target) arrive(ctx context.Context, quiet *pgx.Conn) error {
	if _, err := quiet.Exec(ctx, "select pg_sleep(0.005)"); err != nil {
		return err
	}
	logged, answered, err := t.connect(ctx)
	t.samples[login] = append(t.samples[login], logged)
	t.samples[answer] = append(t.samples[answer], answered)
	return err
}
