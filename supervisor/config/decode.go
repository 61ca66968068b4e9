package config

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/devguard/devguard/supervisor/goflags"
)

// Parse reads the contents of a configuration file over the defaults. shown
// names the file in errors, path and work are what Config.Path and Config.Work
// become; work must be absolute, path too unless it is empty. The error is an
// Errors.
func Parse(shown, path, work string, data []byte) (*Config, error) {
	cfg := Default(work)
	if path != "" {
		cfg.Path, cfg.Dir = path, filepath.Dir(path)
	}
	// Editors on Windows begin a file with a byte order mark, which TOML 1.0
	// parsers refuse.
	data = []byte(strings.TrimPrefix(string(data), "\ufeff"))
	var document map[string]any
	if err := toml.Unmarshal(data, &document); err != nil {
		return nil, Errors{syntaxError(shown, err)}
	}
	r := &reader{file: shown, places: locate(data), seen: map[string]bool{}, schema: schema()}
	r.document(cfg, document)
	if err := r.errs.sorted(); err != nil {
		return nil, err
	}
	return cfg, nil
}

// syntaxError is what is left of a go-toml error: it never quotes the text.
func syntaxError(file string, err error) *Error {
	e := &Error{File: file, Line: 1, Col: 1, Msg: strings.TrimPrefix(err.Error(), "toml: ")}
	var decode *toml.DecodeError
	if errors.As(err, &decode) {
		e.Line, e.Col = decode.Position()
		e.Key = strings.Join(decode.Key(), ".")
	}
	return e
}

// schema is every key there is, in the order of this file. It is learnt by
// reading an empty document.
var schema = sync.OnceValue(func() []string {
	r := &reader{seen: map[string]bool{}, dry: true}
	r.document(Default(""), nil)
	return r.keys
})

func (r *reader) document(cfg *Config, values map[string]any) {
	t := r.table("", "", values)
	t.text("name", &cfg.Name)
	if msg := badName(cfg.Name); msg != "" {
		t.fail("name", nameHint(cfg.Name), "%s", msg)
	}
	oneOf(t, "log_format", &cfg.LogFormat, logFormats)
	t.boolean("verbose", &cfg.Verbose)
	t.text("control", &cfg.Control)
	if !isControl(cfg.Control) {
		t.fail("control", controlHint, "is no address of loopback")
	}
	t.section("app", func(t *table) { readApp(t, cfg) })
	t.section("build", func(t *table) { readBuild(t, &cfg.Build) })
	t.section("debug", func(t *table) { readDebug(t, &cfg.Debug) })
	t.section("watch", func(t *table) { readWatch(t, &cfg.Watch) })
	t.section("ready", func(t *table) { readReady(t, &cfg.Ready) })
	t.section("front", func(t *table) { readFront(t, &cfg.Front) })
	r.databases(t, cfg)
	r.hooks(t, cfg)
	t.unknown()
}

var logFormats = []string{"pretty", "text", "json"}

func readApp(t *table, cfg *Config) {
	app := &cfg.App
	t.text("package", &app.Package)
	if app.Package != "" {
		app.BuildDir = cfg.Dir
		if msg, hint := badPackage(app.Package); msg != "" {
			t.fail("package", hint, "%s", msg)
		}
	}
	t.list("command", &app.Command, `["npm", "run", "dev"]`)
	if len(app.Command) > 0 {
		t.program("command", app.Command)
		if app.Package != "" {
			t.fail("command", "keep one of them", "cannot stand beside app.package")
		}
	}
	t.list("args", &app.Args, `["-port", "8080"]`)
	t.list("env_files", &app.EnvFiles, `[".env"]`)
	for i, file := range app.EnvFiles {
		switch {
		case strings.TrimSpace(file) == "":
			t.fail(item("env_files", i), "write the path of a file", "is empty")
		case !filepath.IsAbs(file):
			app.EnvFiles[i] = filepath.Join(cfg.Dir, filepath.FromSlash(file))
		}
	}
	t.signal("stop_signal", &app.StopSignal)
	t.duration("grace", &app.Grace, 0)
	t.boolean("stdin", &app.Stdin)
	t.boolean("restart_on_crash", &app.RestartOnCrash)
	t.boolean("hold_sockets", &app.HoldSockets)
	t.hangUp("hang_up", &app.HangUp)
}

func readBuild(t *table, build *Build) {
	t.list("flags", &build.Flags, `["-race", "-tags", "dev"]`)
	for _, p := range goflags.Check(build.Flags) {
		t.fail(item("flags", p.At), p.Hint(), "%s", p)
	}
	t.boolean("debug", &build.Debug)
	oneOf(t, "fast", &build.Fast, []Fast{FastAuto, FastOff})
}

func readDebug(t *table, debug *Debug) {
	if t.text("listen", &debug.Listen); !t.has("listen") {
		return
	}
	address, err := dialAddress(debug.Listen)
	if err != nil {
		t.fail("listen", debugHint, "%s", err)
	}
	debug.Listen = address
}

func readWatch(t *table, watch *Watch) {
	t.globs("include", &watch.Include, `["templates/**"]`)
	t.globs("exclude", &watch.Exclude, `["tmp/**"]`)
	t.poll("poll", &watch.Poll)
}

func readReady(t *table, ready *Ready) {
	t.text("http", &ready.HTTP)
	if msg, hint := badHTTP(ready.HTTP); msg != "" {
		t.fail("http", hint, "%s", msg)
	}
	t.text("tcp", &ready.TCP)
	if ready.TCP != "" {
		address, err := dialAddress(ready.TCP)
		if err != nil {
			t.fail("tcp", `write host:port, like "127.0.0.1:8080"`, "%s", err)
		}
		ready.TCP = address
		if ready.HTTP != "" {
			t.fail("tcp", "keep one of them", "cannot stand beside ready.http")
		}
	}
	t.duration("timeout", &ready.Timeout, time.Millisecond)
}

func (r *reader) databases(t *table, cfg *Config) {
	var all []Database
	used := map[string]bool{}
	t.sections("database", func(t *table) {
		db := defaultDatabase()
		readDatabase(t, &db)
		for i, name := range db.URLEnv {
			if used[name] && isVariable(name) {
				t.fail(item("url_env", i), "name each variable in one [[database]] only", "%s is named twice", name)
			}
			used[name] = true
		}
		all = append(all, db)
	})
	if len(all) > 0 {
		cfg.Databases = all
	}
}

func readDatabase(t *table, db *Database) {
	t.list("url_env", &db.URLEnv, `["DATABASE_URL"]`)
	for i, name := range db.URLEnv {
		if !isVariable(name) {
			t.fail(item("url_env", i), variableRule, "is not the name of a variable")
		}
	}
	if t.text("direct_url_env", &db.DirectURLEnv); db.DirectURLEnv != "" && !isVariable(db.DirectURLEnv) {
		t.fail("direct_url_env", variableRule, "is not the name of a variable")
	}
	oneOf(t, "mode", &db.Mode, modes)
	t.boolean("embedded", &db.Embedded)
	if db.Embedded && len(db.URLEnv) == 0 {
		t.fail("embedded", `name one, like url_env = ["DATABASE_URL"]`, "needs a variable in url_env to hand its URL to the app")
	}
	if t.text("listen", &db.Listen); db.Listen != "" && !isLoopback(db.Listen) {
		t.fail("listen", `write a port of this machine, like listen = "127.0.0.1:6432"`, "%q is not a loopback address with a port", db.Listen)
	}
	t.duration("drain_timeout", &db.DrainTimeout, time.Millisecond)
}

// isLoopback reports whether address is a port that only this machine reaches:
// whoever reaches it is relayed to the database.
func isLoopback(address string) bool {
	at, err := netip.ParseAddrPort(address)
	return err == nil && at.Addr().IsLoopback() && at.Port() != 0
}

var (
	modes      = []Mode{ModeAuto, ModeSession, ModeTransaction, ModeDrain, ModeOff}
	thens      = []Then{ThenRebuild, ThenRestart, ThenReload, ThenNone}
	laterThens = []string{"reset-connections"}
)

func (r *reader) hooks(t *table, cfg *Config) {
	first := map[string]int{} // name -> line
	t.sections("hook", func(t *table) {
		hook := Hook{Then: ThenRebuild, Line: r.places.key(t.path).line}
		readHook(t, &hook)
		switch line := first[hook.Name]; {
		case hook.Name == "":
		case line > 0:
			t.fail("name", "give each hook a name of its own", "%q is already the hook of line %d", hook.Name, line)
		default:
			first[hook.Name] = hook.Line
		}
		cfg.Hooks = append(cfg.Hooks, hook)
	})
}

func readHook(t *table, hook *Hook) {
	t.text("name", &hook.Name)
	switch {
	case !t.has("name"):
		t.fail("name", `write name = "..."; messages and DEVGUARD_HOOK use it`, "is missing")
	case badHookName(hook.Name):
		t.fail("name", "write a short word", "is empty, too long, or has spaces at its ends or control characters")
	}
	t.globs("watch", &hook.Watch, `["schema/*.sql"]`)
	readRun(t, hook)
	t.globs("outputs", &hook.Outputs, `["internal/db/**"]`)
	if len(hook.Watch) == 0 && len(hook.Outputs) == 0 && !t.has("watch") {
		t.fail("watch", `write watch = ["..."], the files that the hook reads`, "is missing: the hook would run once and never again")
	}
	oneOf(t, "then", &hook.Then, thens, laterThens...)
	t.boolean("migrates", &hook.Migrates)
}

// readRun reads a string for the shell, or a list that needs none.
func readRun(t *table, hook *Hook) {
	const want = `a command in quotes, or a list of strings, like ["sqlc", "generate"]`
	switch v, ok := t.take("run"); value := v.(type) {
	case nil:
		if !ok && !t.r.dry {
			t.fail("run", `write run = "..."`, "is missing")
		}
	case string:
		if strings.TrimSpace(value) == "" {
			t.fail("run", "write the command to run", "is empty")
		} else if t.printable("run", value) {
			hook.Shell = value
		}
	case []any:
		if t.strings("run", v, &hook.Command, want); len(hook.Command) == len(value) {
			t.program("run", hook.Command)
		}
	default:
		t.wrong("run", v, want)
	}
}

// program checks the first word of a command.
func (t *table) program(key string, command []string) {
	if len(command) == 0 {
		t.fail(key, "write the program and its arguments", "is empty")
	} else if strings.TrimSpace(command[0]) == "" {
		t.fail(item(key, 0), "write the program's name first", "is empty")
	}
}

func (t *table) globs(key string, into *[]string, example string) {
	if t.list(key, into, example); !t.has(key) {
		return
	}
	for i, pattern := range *into {
		clean, msg, hint := cleanGlob(pattern)
		if msg != "" {
			t.fail(item(key, i), hint, "%q %s", pattern, msg)
		}
		(*into)[i] = clean
	}
}

// hangUp reads off or a duration.
func (t *table) hangUp(key string, into *time.Duration) {
	if t.values[key] == "off" {
		t.take(key)
		*into = Never
		return
	}
	t.duration(key, into, 0)
}

// poll reads auto, off or an interval.
func (t *table) poll(key string, into *Poll) {
	const least = 10 * time.Millisecond // below it, stat calls are all a core would do; a guess
	var s string
	if t.text(key, &s); s == "" {
		if _, isText := t.values[key].(string); isText {
			t.fail(key, fmt.Sprintf("write %q, %q or an interval, like %q", PollAuto, PollOff, "2s"), "is empty")
		}
		return
	}
	switch PollMode(s) {
	case PollAuto:
		*into = Poll{Mode: PollAuto, Every: time.Second}
	case PollOff:
		*into = Poll{Mode: PollOff}
	default:
		if d, ok := t.parseDuration(key, s, least); ok {
			*into = Poll{Mode: PollOn, Every: d}
		}
	}
}
