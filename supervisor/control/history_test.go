package control

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/logline"
)

// TestHistory: what the lines of some generations make of the past.
func TestHistory(t *testing.T) {
	f := serve(t)
	say := func(all ...logline.Line) {
		for _, l := range all {
			l.To(f.log)
		}
	}
	line := func(msg string, attrs ...slog.Attr) logline.Line { return logline.Line{Msg: msg, Attrs: attrs} }
	gen := func(n int) slog.Attr { return slog.Int("gen", n) }
	ms := slog.Int64("ms", 12)
	failed := logline.Diagnostics{Shown: []logline.Diagnostic{{File: "main.go", Line: 3, Col: 1, Msg: "oops"}}, Source: []string{"x"}, Total: 2}
	say(
		line(logline.MsgWatching, slog.Int("dirs", 1)),
		line(logline.MsgHookFinished, gen(1), slog.String("hook", "sqlc"), ms),
		line(logline.MsgBuildFailed, gen(1), ms, slog.Any("errors", failed)),
		line(logline.MsgBuildCancelled, gen(1), ms),
		line(logline.MsgBuildFinished, gen(1), ms, slog.String("way", "fast")),
		line(logline.MsgInstanceStarted, gen(1), slog.Int("pid", 77)),
		line(logline.MsgInstanceReady, gen(1), slog.String("rule", "listening"), ms, slog.Int64("save_to_ready_ms", 99), slog.Int64("settle_ms", 0), slog.Int64("link_ms", 40)),
		line(logline.MsgBuildFinished, gen(2), ms),
		line(logline.MsgRestartSkipped, gen(2), slog.String("reason", "the same binary")),
		line(logline.MsgHookFailed, gen(2), slog.String("hook", "sqlc"), ms, slog.Int("code", 3), slog.String("error", "no schema")),
		line(logline.MsgBuildFinished, gen(2), ms),
		logline.InstanceStopping(1, 77, 0),
		logline.InstanceExited(1, -1, "SIGKILL", true),
	)
	before := f.statusNow().History[1].Ended
	say(
		logline.InstanceStopping(1, 77, 2),
		line(logline.MsgDrained, gen(1), slog.String("database", "dev@db/shop"), slog.Int("sessions", 4), slog.Int("left", 0), ms),
		line(logline.MsgDrained, slog.String("database", "of nobody"), ms),
		logline.Failed(logline.MsgInstanceNotReady, 2, errors.New("nobody listens")),
	)
	s := f.statusNow()
	if len(s.History) != 2 || s.History[0].Gen != 2 || s.History[1].Gen != 1 {
		t.Fatalf("%+v", s.History)
	}
	second, first := s.History[0], s.History[1]
	switch b := first.Builds; {
	case len(b) != 3 || b[0].Outcome != "failed" || b[0].Total != 2 || b[0].Errors[0] != (Diagnostic{"main.go", 3, 1, "oops", "x", "", 0}),
		b[1].Outcome != "cancelled", b[2].Outcome != "finished", b[2].MS != 12, b[2].Way != "fast", b[2].At.IsZero():
		t.Errorf("builds: %+v", b)
	}
	if h := first.Hooks; len(h) != 1 || h[0].Name != "sqlc" || h[0].Outcome != "finished" {
		t.Errorf("hooks: %+v", h)
	}
	if first.PID != 77 || first.Ready == nil || first.Ready.Rule != "listening" || *first.Ready.SaveToReadyMS != 99 || first.Started.IsZero() {
		t.Errorf("%+v", first)
	}
	if r := first.Ready; r.MS != 12 || *r.SettleMS != 0 || *r.LinkMS != 40 || r.CompileMS != nil {
		t.Errorf("parts: %+v", r)
	}
	if e := first.Ended; e == nil || e.Code != -1 || e.Signal != "SIGKILL" || e.HungUp != 2 {
		t.Errorf("end: %+v", e)
	}
	if before == nil || before.HungUp != 0 {
		t.Errorf("the end that was answered before is now %+v", before)
	}
	if d := first.Drained; len(d) != 1 || *d[0].Sessions != 4 || *d[0].Left != 0 || d[0].Statements != nil {
		t.Errorf("drained: %+v", d)
	}
	if h := second.Hooks; second.Skipped != "" || len(second.Builds) != 2 || len(h) != 1 || h[0].Code != 3 || h[0].Error != "no schema" || second.Failed != "nobody listens" || second.Ended != nil {
		t.Errorf("%+v", second)
	}
	say(logline.InstanceStopping(2, 78, 0), logline.InstanceStopping(2, 78, 3), logline.InstanceExited(2, 0, "", true))
	if e := f.statusNow().History[0].Ended; e == nil || e.Code != 0 || e.Signal != "" || e.HungUp != 3 {
		t.Errorf("the second's end: %+v", e)
	}
	for n := 3; n < 3+2*maxPast; n++ {
		for range 2 * maxParts {
			say(line(logline.MsgBuildFinished, gen(n), ms))
		}
	}
	if all := f.statusNow().History; len(all) != maxPast || len(all[0].Builds) != maxParts {
		t.Errorf("%d generations, %d builds are kept", len(all), len(all[0].Builds))
	}
}

// TestFastHistory: how a program was built, what for, and what became of the check, also where the
// log does not show it.
func TestFastHistory(t *testing.T) {
	f := serve(t)
	say := func(all ...logline.Line) {
		for _, l := range all {
			l.To(f.log)
		}
	}
	say(
		logline.Changed(1, []string{"a.go", "b.go"}),
		logline.BuildByGo(1, "the first build"), logline.BuildFinished(1, time.Second), logline.BuildVerified(1, ""),
		logline.Changed(2, []string{"c.go"}), logline.FastBuildFinished(2, time.Millisecond), logline.BuildVerified(2, ""),
		logline.FastBuildFinished(3, time.Millisecond),
	)
	builds := func() string {
		var text strings.Builder
		for _, p := range slices.Backward(f.statusNow().History) {
			for _, b := range p.Builds {
				fmt.Fprintf(&text, "%d %v way %q go %q check %q\n", p.Gen, p.Changed, b.Way, b.ByGo, b.Check)
			}
		}
		return text.String()
	}
	want := `1 [a.go b.go] way "" go "the first build" check ""
2 [c.go] way "fast" go "" check "same"
3 [] way "fast" go "" check "`
	if got := builds(); got != want+"\"\n" {
		t.Error(got)
	}
	say(logline.BuildDiffers(4, "/kept"), logline.BuildFinished(4, time.Second))
	if got := builds(); got != want+"differs\"\n4 [] way \"\" go \"\" check \"\"\n" {
		t.Error(got)
	}
	if shown := f.out.String(); strings.Contains(shown, logline.MsgBuildByGo) || strings.Contains(shown, logline.MsgBuildVerified) || !strings.Contains(shown, logline.MsgBuildDiffers) {
		t.Errorf("the log shows %s", shown)
	}
	if kept, _, _ := f.source.Journal.after(0); len(kept) != 7 {
		t.Errorf("%d lines are kept", len(kept))
	}
}

func (f *fake) statusNow() Status {
	snap, _ := f.latest()
	return f.statusOf(snap)
}
