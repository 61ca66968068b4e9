package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/logline"
)

// log writes one event in one format, without its time.
func log(t *testing.T, e logline.Event, format string, level slog.Level, color bool) string {
	t.Helper()
	var b bytes.Buffer
	l := New(&b, format, level, color)
	if l.Enabled(t.Context(), e.Level) {
		r := slog.NewRecord(time.Time{}, e.Level, e.Msg, 0)
		r.AddAttrs(e.Attrs...)
		if err := l.Handler().Handle(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// helpful is an error with a hint.
type helpful struct{ error }

func (helpful) Hint() string { return "install it" }

const second = time.Second

// event makes a line that no function of logline makes yet.
func event(level slog.Level, msg string, attrs ...slog.Attr) logline.Event {
	return logline.Event{Level: level, Msg: msg, Attrs: attrs}
}

func ms(took time.Duration) slog.Attr { return slog.Int64("ms", took.Milliseconds()) }

// lines has every event with what each format makes of it. pretty is at debug;
// quiet says that it is not shown at info.
var lines = map[string]struct {
	event              logline.Event
	pretty, text, json string
	quiet              bool
}{
	"watching": {logline.Watching(41, 249, "events"),
		"watching 249 files in 41 directories",
		`level=INFO msg=watching dirs=41 files=249 mode=events`,
		`{"level":"INFO","msg":"watching","dirs":41,"files":249,"mode":"events"}`, false},
	"watching by polling": {logline.Watching(1, 1, "poll"),
		"watching 1 file in 1 directory by polling",
		`level=INFO msg=watching dirs=1 files=1 mode=poll`,
		`{"level":"INFO","msg":"watching","dirs":1,"files":1,"mode":"poll"}`, false},
	"changed": {logline.Changed(3, []string{"handler.go"}),
		"handler.go changed",
		`level=INFO msg=changed gen=3 paths=[handler.go]`,
		`{"level":"INFO","msg":"changed","gen":3,"paths":["handler.go"]}`, false},
	"changed, two": {logline.Changed(3, []string{"a.go", "b.go"}),
		"a.go and b.go changed",
		`level=INFO msg=changed gen=3 paths="[a.go b.go]"`,
		`{"level":"INFO","msg":"changed","gen":3,"paths":["a.go","b.go"]}`, false},
	"changed, many": {logline.Changed(3, []string{"a.go", "b.go", "c.go", "d.go"}),
		"a.go, b.go and 2 more changed",
		`level=INFO msg=changed gen=3 paths="[a.go b.go c.go d.go]"`,
		`{"level":"INFO","msg":"changed","gen":3,"paths":["a.go","b.go","c.go","d.go"]}`, false},
	"changed, none": {logline.Changed(3, nil),
		"something changed",
		`level=INFO msg=changed gen=3 paths=[]`,
		`{"level":"INFO","msg":"changed","gen":3,"paths":[]}`, false},
	"ignored": {logline.Ignored([]string{"README.md"}, "not of the import graph"),
		"ignored README.md: not of the import graph",
		`level=DEBUG msg=ignored paths=[README.md] reason="not of the import graph"`,
		`{"level":"DEBUG","msg":"ignored","paths":["README.md"],"reason":"not of the import graph"}`, true},
	"hook started": {logline.HookStarted(3, "prisma"),
		"running hook prisma",
		`level=INFO msg="hook started" gen=3 hook=prisma`,
		`{"level":"INFO","msg":"hook started","gen":3,"hook":"prisma"}`, false},
	"hook finished": {logline.HookFinished(3, "prisma", 1060*time.Millisecond),
		"hook prisma done in 1.1 s",
		`level=INFO msg="hook finished" gen=3 hook=prisma ms=1060`,
		`{"level":"INFO","msg":"hook finished","gen":3,"hook":"prisma","ms":1060}`, false},
	"hook failed": {logline.HookFailed(3, "prisma", second, 1, "", 2, errors.New("hook prisma failed with exit code 1")),
		"hook prisma failed with exit code 1 after 1.0 s; generation 2 keeps serving",
		`level=ERROR msg="hook failed" gen=3 hook=prisma ms=1000 code=1 serving=2 error="hook prisma failed with exit code 1"`,
		`{"level":"ERROR","msg":"hook failed","gen":3,"hook":"prisma","ms":1000,"code":1,"serving":2,"error":"hook prisma failed with exit code 1"}`, false},
	"hook failed, hint": {logline.HookFailed(1, "prisma", 0, -1, "", 0, fmt.Errorf("start: %w", helpful{errors.New("no npx\nat all")})),
		"hook prisma failed: start: no npx after 0 ms\n         at all\n         hint: install it",
		`level=ERROR msg="hook failed" gen=1 hook=prisma ms=0 code=-1 error="start: no npx\nat all" hint="install it"`,
		`{"level":"ERROR","msg":"hook failed","gen":1,"hook":"prisma","ms":0,"code":-1,"error":"start: no npx\nat all","hint":"install it"}`, false},
	"hook killed": {logline.HookFailed(1, "gen", 0, -1, "SIGKILL", 0, nil),
		"hook gen failed by SIGKILL after 0 ms",
		`level=ERROR msg="hook failed" gen=1 hook=gen ms=0 code=-1 signal=SIGKILL`,
		`{"level":"ERROR","msg":"hook failed","gen":1,"hook":"gen","ms":0,"code":-1,"signal":"SIGKILL"}`, false},
	"hook held": {logline.HookHeld(3, "migrate", "git is in the middle of a rebase"),
		"hook migrate is held: git is in the middle of a rebase\n         hint: it runs by itself once that is over; the key r runs it now",
		`level=WARN msg="hook held" gen=3 hook=migrate reason="git is in the middle of a rebase"`,
		`{"level":"WARN","msg":"hook held","gen":3,"hook":"migrate","reason":"git is in the middle of a rebase"}`, false},
	"hook suspended": {logline.HookSuspended(3, "templ", []string{"x.templ"}),
		"hook templ is suspended: it ran again and again, because x.templ changed\n         hint: a hook must not write what it watches; it runs again after an edit elsewhere, or when you press r",
		`level=WARN msg="hook suspended" gen=3 hook=templ paths=[x.templ]`,
		`{"level":"WARN","msg":"hook suspended","gen":3,"hook":"templ","paths":["x.templ"]}`, false},
	"build started": {logline.BuildStarted(3),
		"building",
		`level=INFO msg="build started" gen=3`,
		`{"level":"INFO","msg":"build started","gen":3}`, true},
	"build finished": {logline.BuildFinished(3, 411600*time.Microsecond),
		"built in 412 ms",
		`level=INFO msg="build finished" gen=3 ms=412`,
		`{"level":"INFO","msg":"build finished","gen":3,"ms":412}`, false},
	"build failed": {logline.BuildFailed(3, 412*time.Millisecond, 2, errors.New("exit status 1"),
		logline.ReadSource(".", []logline.Diagnostic{{File: "none.go", Line: 3, Col: 2, Msg: "undefined: foo"}})),
		"build failed after 412 ms: 1 error; generation 2 keeps serving\n         none.go:3:2: undefined: foo",
		`level=ERROR msg="build failed" gen=3 ms=412 serving=2 errors="none.go:3:2: undefined: foo"`,
		`{"level":"ERROR","msg":"build failed","gen":3,"ms":412,"serving":2,"errors":["none.go:3:2: undefined: foo"]}`, false},
	"build failed otherwise": {logline.BuildFailed(1, 5*time.Millisecond, 0, helpful{errors.New("there is no go command")}, logline.Diagnostics{}),
		"build failed after 5 ms: there is no go command\n         hint: install it",
		`level=ERROR msg="build failed" gen=1 ms=5 error="there is no go command" hint="install it"`,
		`{"level":"ERROR","msg":"build failed","gen":1,"ms":5,"error":"there is no go command","hint":"install it"}`, false},
	"build cancelled": {logline.BuildCancelled(3, 100*time.Millisecond),
		"build cancelled after 100 ms by a newer change",
		`level=INFO msg="build cancelled" gen=3 ms=100`,
		`{"level":"INFO","msg":"build cancelled","gen":3,"ms":100}`, true},
	"restart skipped": {logline.RestartSkipped(3, "the binary is the same"),
		"no restart: the binary is the same",
		`level=INFO msg="restart skipped" gen=3 reason="the binary is the same"`,
		`{"level":"INFO","msg":"restart skipped","gen":3,"reason":"the binary is the same"}`, false},
	"restart refused": {logline.RestartRefused(3, 2, helpful{errors.New("dev.env:1:1: a quoted value is not closed")}),
		"no restart: dev.env:1:1: a quoted value is not closed; generation 2 keeps serving\n         hint: install it",
		`level=ERROR msg="restart skipped" gen=3 reason="dev.env:1:1: a quoted value is not closed" serving=2 hint="install it"`,
		`{"level":"ERROR","msg":"restart skipped","gen":3,"reason":"dev.env:1:1: a quoted value is not closed","serving":2,"hint":"install it"}`, false},
	"instance stopping": {logline.InstanceStopping(2, 4711),
		"stopping process 4711",
		`level=INFO msg="instance stopping" gen=2 pid=4711`,
		`{"level":"INFO","msg":"instance stopping","gen":2,"pid":4711}`, true},
	"drained": {drain(slog.LevelInfo, slog.Int("sessions", 7), slog.Int("cancelled", 2), slog.Int("rolled_back", 1), slog.Int("terminated", 7), slog.Int("left", 0), slog.Int("ms", 12)),
		"drained 7 sessions in 12 ms (2 cancelled, 1 rolled back, 7 terminated)",
		`level=INFO msg=drained database=dev@db:5432/shop gen=2 sessions=7 cancelled=2 rolled_back=1 terminated=7 left=0 ms=12`,
		`{"level":"INFO","msg":"drained","database":"dev@db:5432/shop","gen":2,"sessions":7,"cancelled":2,"rolled_back":1,"terminated":7,"left":0,"ms":12}`, false},
	"drained, nothing": {drain(slog.LevelInfo, slog.Int("sessions", 0), slog.Int("left", 0), slog.Int("ms", 0)),
		"drained 0 sessions in 0 ms",
		`level=INFO msg=drained database=dev@db:5432/shop gen=2 sessions=0 left=0 ms=0`,
		`{"level":"INFO","msg":"drained","database":"dev@db:5432/shop","gen":2,"sessions":0,"left":0,"ms":0}`, true},
	"drained, left": {drain(slog.LevelWarn, slog.Int("sessions", 1), slog.Int("left", 1), slog.Any("remaining", []string{"pid 12 active; query: SELECT 1"}), slog.Int("ms", 2000)),
		"drained 1 session in 2.0 s, 1 is left on dev@db:5432/shop\n         pid 12 active; query: SELECT 1",
		`level=WARN msg=drained database=dev@db:5432/shop gen=2 sessions=1 left=1 remaining="[pid 12 active; query: SELECT 1]" ms=2000`,
		`{"level":"WARN","msg":"drained","database":"dev@db:5432/shop","gen":2,"sessions":1,"left":1,"remaining":["pid 12 active; query: SELECT 1"],"ms":2000}`, false},
	"drained, not known": {drain(slog.LevelDebug, slog.String("reason", "reached through a pooler"), slog.Int("ms", 3)),
		"sessions on dev@db:5432/shop are not drained: reached through a pooler",
		`level=DEBUG msg=drained database=dev@db:5432/shop gen=2 reason="reached through a pooler" ms=3`,
		`{"level":"DEBUG","msg":"drained","database":"dev@db:5432/shop","gen":2,"reason":"reached through a pooler","ms":3}`, true},
	"instance started": {logline.InstanceStarted(3, 4712),
		"started process 4712",
		`level=INFO msg="instance started" gen=3 pid=4712`,
		`{"level":"INFO","msg":"instance started","gen":3,"pid":4712}`, true},
	"instance ready": {logline.InstanceReady(3, "http", 36*time.Millisecond, 431*time.Millisecond),
		"ready in 431 ms (save to ready)",
		`level=INFO msg="instance ready" gen=3 rule=http ms=36 save_to_ready_ms=431`,
		`{"level":"INFO","msg":"instance ready","gen":3,"rule":"http","ms":36,"save_to_ready_ms":431}`, false},
	"instance ready, alive": {logline.InstanceReady(1, "alive", second, 0),
		"ready in 1.0 s (from start, alive, listening on nothing)",
		`level=INFO msg="instance ready" gen=1 rule=alive ms=1000`,
		`{"level":"INFO","msg":"instance ready","gen":1,"rule":"alive","ms":1000}`, false},
	"instance not ready": {logline.InstanceNotReady(3, helpful{errors.New("not ready after 30s: awaited GET /healthz, last seen: status 503")}),
		"not ready after 30s: awaited GET /healthz, last seen: status 503\n         hint: install it",
		`level=WARN msg="instance not ready" gen=3 error="not ready after 30s: awaited GET /healthz, last seen: status 503" hint="install it"`,
		`{"level":"WARN","msg":"instance not ready","gen":3,"error":"not ready after 30s: awaited GET /healthz, last seen: status 503","hint":"install it"}`, false},
	"instance exited": {logline.InstanceExited(3, 2, "", false),
		"the app exited with code 2",
		`level=ERROR msg="instance exited" gen=3 code=2`,
		`{"level":"ERROR","msg":"instance exited","gen":3,"code":2}`, false},
	"instance exited, well": {logline.InstanceExited(3, 0, "", false),
		"the app exited with code 0",
		`level=WARN msg="instance exited" gen=3 code=0`,
		`{"level":"WARN","msg":"instance exited","gen":3,"code":0}`, false},
	"instance exited, asked": {logline.InstanceExited(3, -1, "SIGKILL", true),
		"the app was ended by SIGKILL",
		`level=INFO msg="instance exited" gen=3 code=-1 signal=SIGKILL`,
		`{"level":"INFO","msg":"instance exited","gen":3,"code":-1,"signal":"SIGKILL"}`, true},
	"instance waiting": {logline.CrashWaiting(3, 200*time.Millisecond),
		"starting again in 200 ms, or at the next save",
		`level=WARN msg="instance waiting" gen=3 ms=200`,
		`{"level":"WARN","msg":"instance waiting","gen":3,"ms":200}`, false},
	"start failed": {logline.Failed(logline.MsgStartFailed, 3, errors.New("no such file")),
		"the app did not start: no such file",
		`level=ERROR msg="instance start failed" gen=3 error="no such file"`,
		`{"level":"ERROR","msg":"instance start failed","gen":3,"error":"no such file"}`, false},
	"stop trouble": {logline.Failed(logline.MsgStopTrouble, 3, errors.New("pid 7 is left")),
		"the app did not stop as it should: pid 7 is left",
		`level=ERROR msg="instance stop failed" gen=3 error="pid 7 is left"`,
		`{"level":"ERROR","msg":"instance stop failed","gen":3,"error":"pid 7 is left"}`, false},
	"configuration applied": {logline.ConfigApplied(),
		"devguard.toml read again",
		`level=INFO msg="configuration applied"`,
		`{"level":"INFO","msg":"configuration applied"}`, false},
	"configuration invalid": {logline.Failed(logline.MsgConfigInvalid, 0, errors.New("devguard.toml:3:1: unknown key \"app.pakage\"")),
		`devguard.toml is not valid, the old one stays: devguard.toml:3:1: unknown key "app.pakage"`,
		`level=ERROR msg="configuration invalid" error="devguard.toml:3:1: unknown key \"app.pakage\""`,
		`{"level":"ERROR","msg":"configuration invalid","error":"devguard.toml:3:1: unknown key \"app.pakage\""}`, false},
	"list failed": {logline.Failed(logline.MsgListFailed, 0, errors.New("no go.mod")),
		"cannot list what the package is built from: no go.mod",
		`level=ERROR msg="listing packages failed" error="no go.mod"`,
		`{"level":"ERROR","msg":"listing packages failed","error":"no go.mod"}`, false},
	"note": {logline.Note(true, "events were lost, looked at everything again", "raise fs.inotify.max_queued_events"),
		"warning: events were lost, looked at everything again\n         hint: raise fs.inotify.max_queued_events",
		`level=WARN msg="events were lost, looked at everything again" hint="raise fs.inotify.max_queued_events"`,
		`{"level":"WARN","msg":"events were lost, looked at everything again","hint":"raise fs.inotify.max_queued_events"}`, false},
	"warning": {logline.Warning(helpful{errors.New("no node")}),
		"warning: no node\n         hint: install it",
		`level=WARN msg="no node" hint="install it"`,
		`{"level":"WARN","msg":"no node","hint":"install it"}`, false},
	"note, good": {logline.Note(false, "switched to polling", ""),
		"switched to polling", `level=INFO msg="switched to polling"`, `{"level":"INFO","msg":"switched to polling"}`, false},
	"database": {event(slog.LevelInfo, logline.MsgDatabase, slog.String("mode", "drain"), slog.String("kind", "postgres"), slog.String("reason", "PostgreSQL 17.2, reached directly"), slog.String("env", "DATABASE_URL"), slog.String("database", "dev@db:5432/shop")),
		"database dev@db:5432/shop: PostgreSQL 17.2, reached directly",
		`level=INFO msg=database mode=drain kind=postgres reason="PostgreSQL 17.2, reached directly" env=DATABASE_URL database=dev@db:5432/shop`,
		`{"level":"INFO","msg":"database","mode":"drain","kind":"postgres","reason":"PostgreSQL 17.2, reached directly","env":"DATABASE_URL","database":"dev@db:5432/shop"}`, false},
	"database, trouble": {event(slog.LevelWarn, logline.MsgDatabase, slog.String("mode", "drain"), slog.String("kind", "unknown"), slog.String("reason", "nothing listens there"), slog.String("env", "DATABASE_URL"), slog.String("database", "dev@db:5432/shop")),
		"database dev@db:5432/shop is not guarded: nothing listens there",
		`level=WARN msg=database mode=drain kind=unknown reason="nothing listens there" env=DATABASE_URL database=dev@db:5432/shop`,
		`{"level":"WARN","msg":"database","mode":"drain","kind":"unknown","reason":"nothing listens there","env":"DATABASE_URL","database":"dev@db:5432/shop"}`, false},
	"database, off": {event(slog.LevelInfo, logline.MsgDatabase, slog.String("mode", "off"), slog.String("reason", "switched off by the configuration"), slog.String("env", "DATABASE_URL")),
		"the database of DATABASE_URL is not guarded: switched off by the configuration",
		`level=INFO msg=database mode=off reason="switched off by the configuration" env=DATABASE_URL`,
		`{"level":"INFO","msg":"database","mode":"off","reason":"switched off by the configuration","env":"DATABASE_URL"}`, false},
	"database, embedded": {event(slog.LevelInfo, logline.MsgDatabase, slog.String("mode", "drain"), slog.String("kind", "postgres"), slog.String("reason", "the embedded database is used"), slog.String("database", "embedded")),
		"the embedded database is used",
		`level=INFO msg=database mode=drain kind=postgres reason="the embedded database is used" database=embedded`,
		`{"level":"INFO","msg":"database","mode":"drain","kind":"postgres","reason":"the embedded database is used","database":"embedded"}`, false},
	"embedded": {event(slog.LevelInfo, logline.MsgEmbedded, slog.String("version", "15.18"), slog.Int("port", 27552), slog.String("data", "/var/lib/x/data"), ms(140*time.Millisecond)),
		"embedded Postgres 15.18 serves on port 27552 after 140 ms",
		`level=INFO msg="embedded Postgres started" version=15.18 port=27552 data=/var/lib/x/data ms=140`,
		`{"level":"INFO","msg":"embedded Postgres started","version":"15.18","port":27552,"data":"/var/lib/x/data","ms":140}`, false},
	"database, none": {event(slog.LevelInfo, logline.MsgDatabase, slog.String("mode", "off"), slog.String("reason", "no database URL found")),
		"no database is guarded: no database URL found",
		`level=INFO msg=database mode=off reason="no database URL found"`,
		`{"level":"INFO","msg":"database","mode":"off","reason":"no database URL found"}`, false},
	"bypass": {event(slog.LevelWarn, logline.MsgBypass, slog.Int("pid", 12), slog.String("remote", "10.0.0.1:4711"), slog.String("database", "dev@db:5432/shop"), slog.String("hint", "it may be a pooler's")),
		"the database session of server process 12 is not ended: it came from 10.0.0.1:4711\n         hint: it may be a pooler's",
		`level=WARN msg=bypass pid=12 remote=10.0.0.1:4711 database=dev@db:5432/shop hint="it may be a pooler's"`,
		`{"level":"WARN","msg":"bypass","pid":12,"remote":"10.0.0.1:4711","database":"dev@db:5432/shop","hint":"it may be a pooler's"}`, false},
}

// drain is a line of the database side, which logs by itself.
func drain(level slog.Level, attrs ...slog.Attr) logline.Event {
	return event(level, logline.MsgDrained, append([]slog.Attr{slog.String("database", "dev@db:5432/shop"), slog.Int("gen", 2)}, attrs...)...)
}

func TestLines(t *testing.T) {
	for name, tt := range lines {
		t.Run(name, func(t *testing.T) {
			if got := log(t, tt.event, "pretty", slog.LevelDebug, false); got != tt.pretty {
				t.Errorf("pretty\n got %s\nwant %s", got, tt.pretty)
			}
			if got := log(t, tt.event, "pretty", slog.LevelInfo, false); (got == "") != tt.quiet {
				t.Errorf("pretty at info: %q", got)
			}
			if got := log(t, tt.event, "text", slog.LevelDebug, false); got != tt.text {
				t.Errorf("text\n got %s\nwant %s", got, tt.text)
			}
			got := log(t, tt.event, "json", slog.LevelDebug, false)
			if got != tt.json || !json.Valid([]byte(got)) {
				t.Errorf("json\n got %s\nwant %s", got, tt.json)
			}
		})
	}
}

// Every msg has words and a line of the table above; a new one must get both.
func TestEveryMessageIsPinned(t *testing.T) {
	seen := map[string]bool{}
	for _, tt := range lines {
		seen[tt.event.Msg] = true
	}
	for msg := range vocabulary {
		if !seen[msg] {
			t.Errorf("no line for %q", msg)
		}
	}
}
