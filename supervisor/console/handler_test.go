package console

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/devguard/devguard/supervisor/logline"
)

func TestPrettyHasLocalTime(t *testing.T) {
	var b bytes.Buffer
	before := time.Now().Truncate(time.Second)
	logline.BuildFinished(1, time.Second).To(New(&b, "pretty", slog.LevelInfo, false))
	stamp, text, _ := strings.Cut(b.String(), " ")
	at, err := time.ParseInLocation("15:04:05", stamp, time.Local)
	if err != nil || text != "built in 1.0 s\n" {
		t.Fatalf("%q %v", b.String(), err)
	}
	if h := before.Hour(); at.Hour() != h && at.Hour() != (h+1)%24 {
		t.Errorf("%s at %s", stamp, before)
	}
	if len(stamp)+1 != len(indent) {
		t.Errorf("blocks are not aligned")
	}
}

func TestPrettyOfOtherMessages(t *testing.T) {
	var b bytes.Buffer
	l := New(&b, "pretty", slog.LevelInfo, false).With("name", "shop").WithGroup("a").With("b", "c d")
	l.Warn("odd", "list", []string{"x", "y"}, slog.Group("g", "k", 1), "", nil, "err", errors.New("a\x1b[31mb"))
	l.Debug("not shown")
	want := "warning: odd name=shop a.b=\"c d\" a.list=x,y a.g.k=1 a.err=a\uFFFD[31mb\n"
	if _, got, _ := strings.Cut(b.String(), " "); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPrettyKeepsWhatItHasNoWordsFor(t *testing.T) {
	got := log(t, logline.BuildFinished(1, 0).With(slog.String("why", "x")), "pretty", slog.LevelInfo, false)
	if got != "built in 0 ms why=x" {
		t.Errorf("%q", got)
	}
}

func TestColors(t *testing.T) {
	for _, tt := range []struct {
		line logline.Line
		want string
	}{
		{logline.InstanceReady(1, "http", time.Second, 0, logline.Parts{}), "\x1b[32mready in 1.0 s (from start)\x1b[0m"},
		{logline.InstanceExited(1, 1, "", false), "\x1b[31mthe app exited with code 1\x1b[0m"},
		{logline.Note(true, "careful", "do"), "\x1b[33mwarning: careful\x1b[0m\n         \x1b[2mhint: do\x1b[0m"},
		{logline.Changed(1, []string{"a\x1b[0m.go"}), "a\uFFFD[0m.go changed"},
	} {
		if got := log(t, tt.line, "pretty", slog.LevelInfo, true); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestUseColor(t *testing.T) {
	for _, tt := range []struct {
		terminal bool
		env      map[string]string
		want     bool
	}{
		{true, map[string]string{"TERM": "xterm"}, true},
		{true, map[string]string{"TERM": "xterm", "NO_COLOR": ""}, true},
		{true, map[string]string{"NO_COLOR": "1"}, false},
		{true, map[string]string{"TERM": "dumb"}, false},
		{false, map[string]string{"TERM": "xterm"}, false},
	} {
		if got := UseColor(tt.terminal, func(k string) string { return tt.env[k] }); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}

// one counts writes, to see that a record is never torn.
type one struct {
	mu     sync.Mutex
	writes []string
}

func (o *one) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.writes = append(o.writes, string(p))
	return len(p), nil
}

func TestOneWriteAnEvent(t *testing.T) {
	w := &one{}
	l := New(w, "pretty", slog.LevelInfo, true)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { logline.HookHeld(1, "h", "why").To(l) })
	}
	all.Wait()
	for _, s := range w.writes {
		if strings.Count(s, "\n") != 2 || !strings.HasSuffix(s, "\n") {
			t.Errorf("%q", s)
		}
	}
	if len(w.writes) != 20 {
		t.Errorf("%d writes", len(w.writes))
	}
}

func TestDuration(t *testing.T) {
	for ms, want := range map[int64]string{0: "0 ms", 999: "999 ms", 1000: "1.0 s", 1349: "1.3 s", 59949: "59.9 s", 59950: "1 min 0 s", 125000: "2 min 5 s", 3600000: "60 min 0 s"} {
		if got := duration(ms); got != want {
			t.Errorf("%d: %q, want %q", ms, got, want)
		}
	}
}

// Whatever comes from outside, a line stays a line and carries no control
// character to the terminal.
func FuzzPretty(f *testing.F) {
	for msg := range wording {
		f.Add(msg, "error", "a\nb\x1b[2J", int64(3))
	}
	f.Add("other", "paths", "\u202e\x07", int64(-1))
	f.Fuzz(func(t *testing.T, msg, key, value string, n int64) {
		for _, level := range []slog.Level{slog.LevelDebug, slog.LevelError} {
			e := logline.Line{Level: level, Msg: msg, Attrs: []slog.Attr{slog.String(key, value), slog.Int64("ms", n), slog.String("hint", value),
				slog.Any("paths", []string{value}), slog.String("hook", value), slog.Any("errors", logline.ReadSource(".", []logline.Diagnostic{{File: value, Line: int(n), Col: int(n), Msg: value}}))}}
			got := log(t, e, "pretty", slog.LevelDebug, false)
			for i, line := range strings.Split(got, "\n") {
				if i > 0 && !strings.HasPrefix(line, indent) {
					t.Errorf("line %d of %q is not indented", i, got)
				}
				if strings.ContainsFunc(line, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }) {
					t.Errorf("a control character in %q", line)
				}
			}
		}
	})
}

func TestKeysHelp(t *testing.T) {
	keys := regexp.MustCompile(`(?m)^(?:keys:)? +(\S)  `).FindAllStringSubmatch(KeysHelp, -1)
	var got strings.Builder
	for _, k := range keys {
		got.WriteString(k[1])
	}
	if got.String() != "rdoq?" {
		t.Errorf("keys %q", got.String())
	}
}

func TestPrintError(t *testing.T) {
	two := errors.Join(errors.New("first"), helpful{errors.New("second\nwith more")})
	wrapped := &os.PathError{Op: "open", Path: "devguard.toml", Err: os.ErrPermission}
	for _, tt := range []struct {
		err  error
		want string
	}{
		{wrapped, "devguard: error: open devguard.toml: permission denied\n"},
		{helpful{errors.New("no npx\x1b")}, "devguard: error: no npx\uFFFD\ndevguard: hint: install it\n"},
		{two, "devguard: error: first\ndevguard: error: second\n  with more\ndevguard: hint: install it\n"},
	} {
		var b bytes.Buffer
		PrintError(&b, tt.err)
		if b.String() != tt.want {
			t.Errorf("got  %q\nwant %q", b.String(), tt.want)
		}
	}
}
