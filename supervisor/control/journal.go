package control

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
)

// How much of devguard's log is kept. A thousand lines as they usually are take 300 kB; one that names
// the 5,000 files of a git checkout takes as much by itself.
const (
	maxKept  = 1000    // lines
	maxBytes = 4 << 20 // of these
)

// Line is one line of devguard's own log.
type Line struct {
	ID   uint64          `json:"id"`   // counts from 1, for this run
	Line json.RawMessage `json:"line"` // as with log_format = "json"
	Text string          `json:"text"` // for people, perhaps with more lines; empty where they are shown none
}

func (l Line) size() int { return len(l.Line) + len(l.Text) }

// Journal keeps the newest lines of devguard's log. The zero value is not usable.
type Journal struct {
	pretty  func(io.Writer) *slog.Logger
	history history

	mu    sync.Mutex
	last  uint64
	lines []Line        // the newest, the oldest first
	bytes int           // of lines
	newer chan struct{} // closed with the next line
}

// NewJournal returns a Journal without lines. pretty makes a log for people.
func NewJournal(pretty func(io.Writer) *slog.Logger) *Journal {
	return &Journal{pretty: pretty, newer: make(chan struct{})}
}

// Handler returns a handler that keeps what it passes on to next.
func (j *Journal) Handler(next slog.Handler) slog.Handler {
	return &keeper{journal: j, next: next, with: func(h slog.Handler) slog.Handler { return h }}
}

// keep adds a line, and forgets the oldest when there are too many.
func (j *Journal) keep(line, text string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.last++
	newest := Line{j.last, json.RawMessage(line), text}
	j.lines = append(j.lines, newest)
	for j.bytes += newest.size(); len(j.lines) > maxKept || j.bytes > maxBytes && len(j.lines) > 1; {
		j.bytes -= j.lines[0].size()
		j.lines = j.lines[1:] // what after has returned shares the array: no line in it is overwritten
	}
	close(j.newer)
	j.newer = make(chan struct{})
}

// after returns the lines that are kept with a greater id, how many such are not kept any more, and
// what is closed when there is a newer one.
func (j *Journal) after(id uint64) (lines []Line, lost uint64, newer <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	id = min(id, j.last) // nobody has had a later one
	first := j.last - uint64(len(j.lines)) + 1
	if id+1 < first {
		lost, id = first-id-1, first-1
	}
	if id < j.last {
		lines = slices.Clip(j.lines[id+1-first:]) // the room behind is ours
	}
	return lines, lost, j.newer
}

// keeper is a slog.Handler.
type keeper struct {
	journal *Journal
	next    slog.Handler
	with    func(slog.Handler) slog.Handler // adds what WithAttrs and WithGroup have added
}

// Enabled is that of the log that is shown, and of what the history is made of.
func (k *keeper) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelDebug || k.next.Enabled(ctx, level)
}

// Handle takes the record into the history, and keeps it and passes it on if the log shows it.
func (k *keeper) Handle(ctx context.Context, r slog.Record) error {
	shown := k.next.Enabled(ctx, r.Level)
	if !shown && !slices.Contains(parts, r.Message) {
		return nil
	}
	var line, text bytes.Buffer
	_ = k.with(slog.NewJSONHandler(&line, nil)).Handle(ctx, r.Clone()) // a buffer takes it
	k.journal.history.add(r, line.Bytes())
	if !shown {
		return nil
	}
	_ = k.with(k.journal.pretty(&text).Handler()).Handle(ctx, r.Clone()) // likewise
	k.journal.keep(strings.TrimSpace(line.String()), strings.TrimRight(text.String(), "\n"))
	return k.next.Handle(ctx, r)
}

// WithAttrs returns a handler with attributes.
func (k *keeper) WithAttrs(attrs []slog.Attr) slog.Handler {
	return k.add(func(h slog.Handler) slog.Handler { return h.WithAttrs(attrs) })
}

// WithGroup returns a handler with a group.
func (k *keeper) WithGroup(name string) slog.Handler {
	return k.add(func(h slog.Handler) slog.Handler { return h.WithGroup(name) })
}

func (k *keeper) add(one func(slog.Handler) slog.Handler) slog.Handler {
	before := k.with
	return &keeper{k.journal, one(k.next), func(h slog.Handler) slog.Handler { return one(before(h)) }}
}
