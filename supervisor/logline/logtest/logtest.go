// Package logtest is for tests: a slog.Handler that holds each line against the
// contract of package logline, and has it said to people as at a terminal;
// errors as people see them; and a buffer for what is logged or printed.
package logtest

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/console"
	"github.com/devguard/devguard/supervisor/logline"
)

// Handler returns a handler that passes records on to next. A record that breaks
// the contract, or that the terminal has no words for, is an error of the test.
func Handler(t testing.TB, next slog.Handler) slog.Handler {
	return &handler{next, t}
}

type handler struct {
	slog.Handler
	t testing.TB
}

// Handle checks the record and passes it on.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	if err := Check(r); err != nil {
		h.t.Error(err)
	}
	return h.Handler.Handle(ctx, r)
}

// Check returns what is wrong with a record, nil if nothing is.
func Check(r slog.Record) error {
	attrs := map[string]any{}
	var twice error
	r.Attrs(func(a slog.Attr) bool {
		if _, there := attrs[a.Key]; there {
			twice = fmt.Errorf("line %q has %s twice", r.Message, a.Key)
		}
		attrs[a.Key] = a.Value.Resolve().Any()
		return true
	})
	if twice != nil {
		return twice
	}
	if err := logline.Check(r.Message, attrs); err != nil {
		return err
	}
	return said(r, attrs)
}

// faint begins an attribute that the terminal's handler has no words for. Text that
// comes from outside cannot look like it: it has no escape characters any more.
const faint = "\x1b[2m"

// said has the terminal's handler say a line of devguard's, and returns which
// attribute it had no words for.
func said(r slog.Record, attrs map[string]any) error {
	if _, ours := logline.Contract[r.Message]; !ours {
		return nil
	}
	r.Time = time.Time{}
	var out strings.Builder
	if err := console.New(&out, "pretty", slog.LevelDebug, true).Handler().Handle(context.Background(), r); err != nil {
		return err
	}
	sentence, _, _ := strings.Cut(out.String(), "\n")
	for key := range attrs {
		if strings.Contains(sentence, faint+key+"=") {
			return fmt.Errorf("line %q: the terminal has no words for %s: %s", r.Message, key, sentence)
		}
	}
	return nil
}

// Text is an error as the command line shows it, each "error; hint" on one line.
func Text(err error) string {
	var out strings.Builder
	console.PrintError(&out, err)
	text := strings.ReplaceAll(strings.TrimSuffix(out.String(), "\n"), "\ndevguard: hint: ", "; ")
	return strings.TrimPrefix(strings.ReplaceAll(text, "\ndevguard: error: ", "\n"), "devguard: error: ")
}
