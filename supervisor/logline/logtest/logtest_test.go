package logtest

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/logline"
)

func record(msg string, attrs ...slog.Attr) slog.Record {
	r := slog.NewRecord(time.Time{}, slog.LevelInfo, msg, 0)
	r.AddAttrs(attrs...)
	return r
}

func TestCheckBites(t *testing.T) {
	pid, gen := slog.Int("pid", 7), slog.Int("gen", 1)
	for name, tt := range map[string]struct {
		record slog.Record
		want   string // "": nothing is wrong
	}{
		"right":               {record(logline.MsgInstanceStarted, gen, pid), ""},
		"absent":              {record(logline.MsgInstanceStarted, gen), "has no pid"},
		"not declared":        {record(logline.MsgInstanceStarted, gen, pid, slog.Int("ppid", 1)), "ppid"},
		"another type":        {record(logline.MsgInstanceStarted, gen, slog.String("pid", "7")), "not of type int"},
		"an error":            {record(logline.MsgListFailed, slog.Any("error", errors.New("x"))), "not of type string"},
		"empty":               {record(logline.MsgRestartSkipped, gen, slog.String("reason", "")), "not of type string"},
		"another word":        {record(logline.MsgDatabase, slog.String("mode", "proxy")), "not of type session|transaction|drain|off"},
		"twice":               {record(logline.MsgInstanceStarted, gen, pid, pid), "twice"},
		"a note":              {record("events were lost", slog.String("hint", "raise it")), ""},
		"a note with more":    {record("events were lost", slog.Int("n", 3)), "are declared"},
		"mistyped":            {record("instance startet", gen, pid), "are declared"},
		"a line of dbguard":   {record(logline.MsgReset, slog.Int("connections", 1), slog.Int("in_use", 0)), ""},
		"an undeclared there": {record(logline.MsgReset, slog.Int("connections", 1)), "has no in_use"},
	} {
		err := Check(tt.record)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
}

func TestSaidFindsWhatHasNoWords(t *testing.T) {
	r := record(logline.MsgInstanceStarted, slog.Int("pid", 7), slog.String("why", "pid=7"))
	if err := said(r, map[string]any{"pid": 7, "why": "pid=7"}); err == nil || !strings.Contains(err.Error(), "no words for why") {
		t.Errorf("got %v", err)
	}
	r = record(logline.MsgChanged, slog.Any("paths", []string{"\x1b[2mpaths=a paths=b"}))
	if err := said(r, map[string]any{"paths": nil}); err != nil {
		t.Error(err)
	}
}

// told is a test that takes errors.
type told struct {
	testing.TB
	errors []any
}

func (h *told) Error(args ...any) { h.errors = append(h.errors, args...) }

func TestHandlerTellsTheTestAndPassesOn(t *testing.T) {
	var out strings.Builder
	h := &told{}
	l := slog.New(Handler(h, slog.NewTextHandler(&out, nil)))
	logline.BuildStarted(1).To(l)
	if len(h.errors) > 0 {
		t.Errorf("told of %v", h.errors)
	}
	l.Info(logline.MsgBuildStarted)
	if len(h.errors) != 1 || strings.Count(out.String(), "build started") != 2 {
		t.Errorf("told of %v, passed on %s", h.errors, out.String())
	}
}
