package logline

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Messages that scripts rely on.
const (
	MsgWatching         = "watching"
	MsgChanged          = "changed"
	MsgIgnored          = "ignored"
	MsgWaiting          = "waiting"
	MsgHookStarted      = "hook started"
	MsgHookFinished     = "hook finished"
	MsgHookFailed       = "hook failed"
	MsgHookHeld         = "hook held"
	MsgHookSuspended    = "hook suspended"
	MsgBuildStarted     = "build started"
	MsgBuildFinished    = "build finished"
	MsgBuildFailed      = "build failed"
	MsgBuildCancelled   = "build cancelled"
	MsgBuildByGo        = "build by the go command"
	MsgBuildVerified    = "build verified"
	MsgBuildDiffers     = "build differs"
	MsgRestartSkipped   = "restart skipped"
	MsgRestartSuspended = "restart suspended"
	MsgInstanceStopping = "instance stopping"
	MsgDrained          = "drained"
	MsgInstanceStarted  = "instance started"
	MsgInstanceReady    = "instance ready"
	MsgInstanceExited   = "instance exited"
	MsgFront            = "front"
	MsgDatabase         = "database"
	MsgBypass           = "bypass"
	MsgConflict         = "conflict"
)

// Messages that may change with a version.
const (
	MsgInstanceNotReady = "instance not ready"
	MsgStartFailed      = "instance start failed"
	MsgStopTrouble      = "instance stop failed"
	MsgCrashWaiting     = "instance waiting" // after a crash, to be started again
	MsgSocketLetGo      = "listening socket let go"
	MsgSocketsNotHeld   = "listening sockets are not held"
	MsgConfigApplied    = "configuration applied"
	MsgConfigInvalid    = "configuration invalid"
	MsgListFailed       = "listing packages failed"
	MsgLeftoverEnded    = "ended a process that an earlier devguard left behind"
	MsgLinesLost        = "lines of the log were lost"
	MsgNoKeys           = "the keys of the terminal are not read"

	MsgCannotAccept   = "cannot accept database sessions of the app"
	MsgLoginRefused   = "login refused"
	MsgSocketsUnknown = "the sockets of the app are not known"
	MsgNoDialAhead    = "no sessions are dialled ahead any more"

	MsgEmbedded         = "embedded Postgres started"
	MsgEmbeddedPort     = "the embedded Postgres listens on another port than last time: the old one is taken"
	MsgFetchingPostgres = "no PostgreSQL on this machine: fetching it once through npm"
	MsgFetchedPostgres  = "PostgreSQL fetched"
)

// Messages of package dbguard that devguard has words for.
const (
	MsgRetry = "Database operation retried"
	MsgReset = "Database connections reset successfully"
)

// Attrs are the attributes of a line and their types: int, string (not empty),
// text (may be empty), strings (a list), duration, or the words that it is one of,
// like events|poll. A name that ends in ? may be absent; nothing else may be there.
type Attrs map[string]string

// Contract has every line that devguard writes, by its msg.
var Contract = map[string]Attrs{
	MsgWatching: {"dirs": "int", "files": "int", "mode": "events|poll"},
	MsgChanged:  {"gen": "int", "paths": "strings"},
	MsgIgnored:  {"paths": "strings", "reason": "string"},
	MsgWaiting:  {"what": "string", "reason": "string"},

	MsgHookStarted:   {"gen": "int", "hook": "string"},
	MsgHookFinished:  {"gen": "int", "hook": "string", "ms": "int"},
	MsgHookFailed:    {"gen": "int", "hook": "string", "ms": "int", "code": "int", "signal?": "string", "serving?": "int", "error?": "string", "hint?": "string"},
	MsgHookHeld:      {"gen": "int", "hook": "string", "reason": "string"},
	MsgHookSuspended: {"gen": "int", "hook": "string", "paths": "strings"},

	MsgBuildStarted:   {"gen": "int"},
	MsgBuildFinished:  {"gen": "int", "ms": "int", "way?": "fast"},
	MsgBuildByGo:      {"gen": "int", "reason": "string"},
	MsgBuildVerified:  {"gen": "int", "reason?": "string"},
	MsgBuildDiffers:   {"gen": "int", "kept?": "string", "hint": "string"},
	MsgBuildFailed:    {"gen": "int", "ms": "int", "serving?": "int", "error?": "string", "errors?": "strings", "hint?": "string"},
	MsgBuildCancelled: {"gen": "int", "ms": "int"},
	MsgRestartSkipped: {"gen": "int", "reason": "string", "serving?": "int", "hint?": "string"},

	MsgRestartSuspended: {"gen": "int", "paths": "strings", "hint": "string"},

	MsgInstanceStopping: {"gen": "int", "pid": "int", "hung_up?": "int"},
	MsgInstanceStarted:  {"gen": "int", "pid": "int"},
	MsgInstanceReady: {"gen": "int", "rule": "http|tcp|listening|alive", "ms": "int", "save_to_ready_ms?": "int",
		"settle_ms?": "int", "hooks_ms?": "int", "build_ms?": "int", "compile_ms?": "int", "link_ms?": "int",
		"stop_ms?": "int", "drain_ms?": "int", "start_ms?": "int"},
	MsgInstanceNotReady: {"gen": "int", "error": "string", "hint?": "string"},
	MsgInstanceExited:   {"gen": "int", "code": "int", "signal?": "string"},
	MsgCrashWaiting:     {"gen": "int", "ms": "int"},
	MsgSocketLetGo:      {"address": "string", "reason": "string"},
	MsgSocketsNotHeld:   {"reason": "string", "hint": "string"},
	MsgStartFailed:      {"gen": "int", "error": "string", "hint?": "string"},
	MsgStopTrouble:      {"gen": "int", "error": "string", "hint?": "string"},
	MsgLeftoverEnded:    {"pid": "int"},
	MsgLinesLost:        {"lines": "int"},
	MsgNoKeys:           {"error": "string"},
	MsgConfigApplied:    {},
	MsgConfigInvalid:    {"error": "string", "hint?": "string"},
	MsgListFailed:       {"error": "string", "hint?": "string"},

	MsgFront: {"address": "string"},
	MsgDatabase: {"mode": "session|transaction|drain|off", "kind?": "postgres|session-pooler|transaction-pooler|unknown", "reason?": "string",
		"database?": "string", "env?": "string"},
	MsgDrained: {"database": "string", "gen?": "int", "sessions?": "int", "cancelled?": "int", "rolled_back?": "int",
		"terminated?": "int", "statements?": "int", "left?": "int", "remaining?": "strings", "reason?": "string", "ms": "int"},
	MsgBypass:         {"pid": "int", "remote": "string", "database": "string", "application_name?": "text", "hint": "string"},
	MsgConflict:       {"sqlstate": "string", "fingerprint": "text", "gen?": "int", "database": "string"},
	MsgCannotAccept:   {"listener": "string", "error": "string"},
	MsgLoginRefused:   {"listener": "string", "reason": "string"},
	MsgSocketsUnknown: {"gen": "int", "error": "string"},
	MsgNoDialAhead:    {"database": "string", "sqlstate": "string"},

	MsgEmbedded:         {"version": "string", "port": "int", "data": "string", "ms": "int"},
	MsgEmbeddedPort:     {"port": "int", "was": "int"},
	MsgFetchingPostgres: {"package": "string", "to": "string"},
	MsgFetchedPostgres:  {"ms": "int"},
}

// noteAttrs are those of a line whose msg is a sentence made for the occasion.
var noteAttrs = Attrs{"hint?": "string", "database?": "string"}

// AppContract has the lines of package dbguard. They are in the app's log, which
// devguard never touches: an app that imports dbguard gets pgx and nothing else,
// so dbguard makes its lines itself.
var AppContract = map[string]Attrs{
	MsgRetry:                               {"class": "string", "attempt": "int", "sqlstate": "text", "delay": "duration"},
	MsgReset:                               {"connections": "int", "in_use": "int"},
	"Database pool opened":                 {"kind": "string", "exec_mode": "string", "reason": "string", "source": "string", "hint?": "string"},
	"Database pool closed":                 {},
	"Database prepared statement conflict": {"attempt": "int", "sqlstate": "string", "delay": "duration"},
	"Database retry gave up":               {"class": "string", "attempts": "int", "sqlstate": "text", "error": "string"},
	"Database commit outcome unknown":      {"error": "string"},
	"Database prepared statements cleared": {"statements": "int", "connections": "int", "recycled": "int"},
	"Database statement slow":              {"statement": "string", "ms": "int"},
	"Database statement failed":            {"statement": "string", "sqlstate": "text"},
	"Database notice":                      {"severity": "string", "sqlstate": "string", "message": "string"},
}

// Check returns what of a line breaks the contract, nil if nothing does. A msg
// that is in neither table may have no attribute but a hint and the database that
// it is about. Values are those of slog or of encoding/json.
func Check(msg string, attrs map[string]any) error {
	want, known := Contract[msg]
	if !known {
		want, known = AppContract[msg]
	}
	if !known {
		want = noteAttrs
	}
	declared := 0
	for name, kind := range want {
		name, optional := strings.CutSuffix(name, "?")
		value, present := attrs[name]
		switch {
		case present && !ofType(value, kind):
			return fmt.Errorf("line %q: %s is %v (%T), not of type %s", msg, name, value, value, kind)
		case present:
			declared++
		case !optional:
			return fmt.Errorf("line %q has no %s", msg, name)
		}
	}
	if declared < len(attrs) {
		return fmt.Errorf("line %q has %v, where %v are declared", msg, attrs, want)
	}
	return nil
}

func ofType(value any, kind string) bool {
	switch kind {
	case "int":
		whole, isFloat := value.(float64) // of JSON
		_, isInt := value.(int64)
		return isInt || isFloat && whole == math.Trunc(whole)
	case "duration":
		_, is := value.(time.Duration)
		return is || ofType(value, "int")
	case "text":
		_, is := value.(string)
		return is
	case "string":
		text, is := value.(string)
		return is && text != ""
	case "strings":
		return areStrings(value)
	}
	text, is := value.(string)
	return is && slices.Contains(strings.Split(kind, "|"), text)
}

func areStrings(value any) bool {
	switch list := value.(type) {
	case Diagnostics:
		return list.Total > 0
	case []string:
		return !slices.Contains(list, "")
	case []any:
		return !slices.ContainsFunc(list, func(v any) bool { return !ofType(v, "string") })
	}
	return false
}
