package config

import (
	"errors"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/logline/logtest"
)

func parse(text string) (*Config, error) {
	return Parse("devguard.toml", "/repo/devguard.toml", "/repo/app", []byte(text))
}

var parseProblems = []struct{ name, text, want string }{
	{"mistyped key", "[watch]\ninclde = []", `2:1: unknown key "watch.inclde"; did you mean "watch.include"?`},
	{"swapped letters", "[app]\n  garce = '1s'", `2:3: unknown key "app.garce"; did you mean "app.grace"?`},
	{"upper case", "[app]\nGrace = '1s'", `2:1: unknown key "app.Grace"; did you mean "app.grace"?`},
	{"mistyped table", "[wach]\ninclude = []", `1:2: unknown key "wach"; did you mean "watch"?`},
	{"key in the wrong table", "grace = '1s'", `1:1: unknown key "grace"; did you mean "app.grace"?`},
	{"dotted key", "app.stdn = true", `1:5: unknown key "app.stdn"; did you mean "app.stdin"?`},
	{"inline table", "app = { grce = '1s' }", `1:9: unknown key "app.grce"; did you mean "app.grace"?`},
	{"quoted key", "\"app.stdin\" = true", `1:1: unknown key "\"app.stdin\""; the keys here are app, build, control, database, debug, front, hook, log_format, name, ready, verbose, watch`},
	{"second hook", "[[hook]]\nname='a'\nrun='a'\nwatch=['a']\n[[hook]]\nname='b'\nrun='b'\nwacth=['b']\nwatch=['b']",
		`8:1: unknown key "hook.wacth"; did you mean "hook.watch"?`},
	{"far from any", "[build]\nxyzzy = 1", `2:1: unknown key "build.xyzzy"; the keys here are debug, fast, flags`},
	{"no such fast", "[build]\nfast = 'on'", `2:8: build.fast: "on" is not a value of it; write one of auto, off`},
	{"front at no address", "[front]\nlisten = '127.0.0.1'", `2:10: front.listen: is not an address; write host:port, like "127.0.0.1:8080"; ":8080" is all interfaces, "app" is where the app binds`},
	{"front and a URL", "[front]\nlisten = '1'\ntarget = 'http://a'", `3:10: front.target: does not end in a port, 1 to 65535; write the address that the app listens on, like "127.0.0.1:3000"`},
	{"front and an editor that opens nothing", "[front]\neditor = 'vscode://file'", `2:10: front.editor: has no {file}; write a name, like "vscode", or a URL, like "my-editor://open?file={file}&line={line}"`},
	{"front and a value for a name", "[front]\nlisten = '1'\nport_env = ['PORT=1']", `3:13: front.port_env: is not the name of a variable; write the variable's name, like PORT`},
	{"listen on all interfaces", "[[database]]\nlisten = ':6432'", `2:10: database.listen: ":6432" is not a loopback address with a port; write a port of this machine, like listen = "127.0.0.1:6432"`},
	{"listen without a port", "[[database]]\nlisten = '127.0.0.1'", `2:10: database.listen: "127.0.0.1" is not a loopback address with a port; write a port of this machine, like listen = "127.0.0.1:6432"`},

	{"syntax", "[app]\ngrace = ", `2:8: expected value, not end of input`},
	{"key twice", "[app]\nstdin = true\nstdin = false", `3:1: key stdin is already defined`},
	{"unquoted string", "[app]\ngrace = 5s", `2:10: strings must be quoted`},

	{"integer for duration", "[app]\ngrace = 5", `2:9: app.grace: want a duration in quotes, like "5s" or "500ms", not an integer`},
	{"string for boolean", "[app]\nstdin = 'yes'", `2:9: app.stdin: want true or false, without quotes, not a string`},
	{"string for list", "[build]\nflags = '-race'", `2:9: build.flags: want a list of strings, like ["-race", "-tags", "dev"], not a string`},
	{"integer in list", "[app]\nargs = ['-port',\n  8080]", `3:3: app.args: want a string in quotes, not an integer`},
	{"table for value", "[app.grace]\nx = 1", `1:6: app.grace: want a duration in quotes, like "5s" or "500ms", not a table`},
	{"value for table", "app = 1", `1:7: app: want a table: write [app], not an integer`},
	{"list of tables for table", "[[app]]", `1:3: app: want a table: write [app], not a list`},
	{"table for list of tables", "[hook]\nname = 'x'", `1:2: hook: want a list of tables: write [[hook]], with two brackets, not a table`},
	{"date", "[app]\npackage = 2020-01-01", `2:11: app.package: want a string in quotes, not a date or time`},

	{"bad duration", "[app]\ngrace = '5'", `2:9: app.grace: "5" is not a duration; write a number and a unit, like "5s", "500ms" or "1m30s"`},
	{"negative grace", "[app]\ngrace = '-1s'", `2:9: app.grace: "-1s" is negative; write "0s" or more`},
	{"no timeout", "[ready]\ntimeout = '0s'", `2:11: ready.timeout: "0s" is too short; write "1ms" or more`},
	{"hang_up word", "[app]\nhang_up = 'never'", `2:11: app.hang_up: "never" is not a duration; write a number and a unit, like "5s", "500ms" or "1m30s"`},
	{"hang_up without a unit", "[app]\nhang_up = 2", `2:11: app.hang_up: want a duration in quotes, like "5s" or "500ms", not an integer`},
	{"busy poll", "[watch]\npoll = '1us'", `2:8: watch.poll: "1us" is too short; write "10ms" or more`},
	{"poll word", "[watch]\npoll = 'always'", `2:8: watch.poll: "always" is not a duration; write a number and a unit, like "5s", "500ms" or "1m30s"`},
	{"empty poll", "[watch]\npoll = ''", `2:8: watch.poll: is empty; write "auto", "off" or an interval, like "2s"`},

	{"bad glob", "[watch]\ninclude = ['ok/**', 'a[b']", `2:21: watch.include: "a[b" is not a valid glob; check its brackets and braces; a backslash makes the next character ordinary`},
	{"negated glob", "[watch]\ninclude = ['!a']", `2:12: watch.include: "!a" begins with '!', which does not negate here; use watch.exclude`},
	{"absolute glob", "[watch]\nexclude = ['/a/**']", `2:12: watch.exclude: "/a/**" is an absolute path; write it relative to the directory of devguard.toml`},
	{"empty glob", "[watch]\nexclude = ['']", `2:12: watch.exclude: "" is not a glob; write a path or a glob, like "templates/**"`},

	{"package beside command", "[app]\npackage = './x'\ncommand = ['npm']", `3:1: app.command: cannot stand beside app.package; keep one of them`},
	{"pattern of packages", "[app]\npackage = './...'", `2:11: app.package: "./..." is a pattern of packages; name the one to run, like ./cmd/app`},
	{"flag as package", "[app]\npackage = '-race'", `2:11: app.package: "-race" is a flag, not a package; write a package, like ./cmd/app`},
	{"nameless command", "[app]\ncommand = ['']", `2:12: app.command: is empty; write the program's name first`},
	{"unknown signal", "[app]\nstop_signal = 'SIGTRM'", `2:15: app.stop_signal: "SIGTRM" is not a signal that stops a process here; did you mean "SIGTERM"?`},
	{"signal number", "[app]\nstop_signal = 15", `2:15: app.stop_signal: want a string in quotes, not an integer`},
	{"empty env file", "[app]\nenv_files = [' ']", `2:14: app.env_files: is empty; write the path of a file`},
	{"NUL", "[app]\npackage = \"a\\u0000\"", `2:11: app.package: contains a NUL character; remove it`},

	{"output flag", "[build]\nflags = ['-o', 'x']", `2:10: build.flags: -o cannot be used; devguard chooses where the program is written`},
	{"words in one flag", "[build]\nflags = ['-tags dev']", `2:10: build.flags: "-tags" and its value are one element; write "-tags", "..."`},
	{"not a flag", "[build]\nflags = ['-race', './x']", `2:19: build.flags: an element is not a flag; write packages in app.package and arguments of the app in app.args`},
	{"flag of another output", "[build]\nflags = ['-race', '-json']", `2:19: build.flags: -json cannot be used; devguard reads the compiler's plain messages`},
	{"build mode of a library", "[build]\nflags = ['-buildmode', 'c-shared']", `2:10: build.flags: -buildmode=c-shared makes no program that could be run; use default, exe or pie`},
	{"value in a flag's element", "[build]\nflags = ['-ldflags -X a=b']", `2:10: build.flags: "-ldflags" and its value are one element; write "-ldflags", "..."`},
	{"flag without value", "[build]\nflags = ['-tags']", `2:10: build.flags: -tags has no value; write "-tags=..."`},

	{"http word", "[ready]\nhttp = 'healthz'", `2:8: ready.http: is neither a path nor a full URL; write a path, like "/healthz", or a URL with http:// or https://`},
	{"http and tcp", "[ready]\nhttp = '/x'\ntcp = ':1'", `3:7: ready.tcp: cannot stand beside ready.http; keep one of them`},
	{"tcp host only", "[ready]\ntcp = 'localhost'", `2:7: ready.tcp: is not an address; write host:port, like "127.0.0.1:8080"`},
	{"tcp port", "[ready]\ntcp = ':70000'", `2:7: ready.tcp: does not end in a port, 1 to 65535; write host:port, like "127.0.0.1:8080"`},

	{"mode", "[[database]]\nmode = 'drian'", `2:8: database.mode: "drian" is not a value of it; did you mean "drain"?`},
	{"no such mode", "[[database]]\nmode = 'sesion'", `2:8: database.mode: "sesion" is not a value of it; did you mean "session"?`},
	{"URL for variable", "[[database]]\nurl_env = ['postgres://u:secret@h/d']", `2:12: database.url_env: is not the name of a variable; write the variable's name, like DATABASE_URL, not its value`},
	{"variable in two", "[[database]]\nurl_env=['A']\n[[database]]\nurl_env=['A']", `4:10: database.url_env: A is named twice; name each variable in one [[database]] only`},
	{"embedded without variable", "[[database]]\nurl_env=[]\nembedded=true", `3:10: database.embedded: needs a variable in url_env to hand its URL to the app; name one, like url_env = ["DATABASE_URL"]`},

	{"hook without name", "[[hook]]\nrun='x'\nwatch=['x']", `1:3: hook.name: is missing; write name = "..."; messages and DEVGUARD_HOOK use it`},
	{"hook without run", "[[hook]]\nname='x'\nwatch=['x']", `1:3: hook.run: is missing; write run = "..."`},
	{"hook without watch", "[[hook]]\nname='x'\nrun='x'", `1:3: hook.watch: is missing: the hook would run once and never again; write watch = ["..."], the files that the hook reads`},
	{"empty run", "[[hook]]\nname='x'\nwatch=['x']\nrun=' '", `4:5: hook.run: is empty; write the command to run`},
	{"empty run list", "[[hook]]\nname='x'\nwatch=['x']\nrun=[]", `4:1: hook.run: is empty; write the program and its arguments`},
	{"run of another type", "[[hook]]\nname='x'\nwatch=['x']\nrun=true", `4:5: hook.run: want a command in quotes, or a list of strings, like ["sqlc", "generate"], not true or false`},
	{"duplicate hook", "[[hook]]\nname='x'\nwatch=['x']\nrun='x'\n[[hook]]\nname='x'\nwatch=['x']\nrun='x'", `6:6: hook.name: "x" is already the hook of line 1; give each hook a name of its own`},
	{"unknown then", "[[hook]]\nname='x'\nwatch=['x']\nrun='x'\nthen='rebiuld'", `5:6: hook.then: "rebiuld" is not a value of it; did you mean "rebuild"?`},
	{"later then", "[[hook]]\nname='x'\nwatch=['x']\nrun='x'\nthen='reset-connections'", `5:6: hook.then: "reset-connections" is not in this version; write one of rebuild, restart, reload, none`},

	{"name with slash", "name = '../x'", `1:8: name: "../x" cannot be the name of a folder everywhere; ` + nameRule},
	{"reserved name", "name = 'Embedded'", `1:8: name: "Embedded" is taken by the embedded database; choose another`},
	{"debug without a port", "[debug]\nlisten = 'localhost'", `2:10: debug.listen: is not an address; ` + debugHint},
	{"debug on any port", "[debug]\nlisten = '127.0.0.1:0'", `2:10: debug.listen: does not end in a port, 1 to 65535; ` + debugHint},
	{"control for others", "control = '0.0.0.0:0'", `1:11: control: is no address of loopback; ` + controlHint},
	{"control without a port", "control = '127.0.0.1'", `1:11: control: is no address of loopback; ` + controlHint},
	{"log format", "log_format = 'jsn'", `1:14: log_format: "jsn" is not a value of it; did you mean "json"?`},
}

func TestParseProblems(t *testing.T) {
	for _, test := range parseProblems {
		t.Run(test.name, func(t *testing.T) {
			_, err := parse(test.text)
			if err == nil || logtest.Text(err) != "devguard.toml:"+test.want {
				t.Errorf("got\n%v\nwant\ndevguard.toml:%s", err, test.want)
			}
		})
	}
}

func TestParseReportsEverythingInFileOrder(t *testing.T) {
	_, err := parse("[[hook]]\nname='x'\nrun=''\nwatch=['[']\n[app]\ngrace='soon'\nstdn=true\n[nonsense]\n")
	var errs Errors
	if !errors.As(err, &errs) {
		t.Fatalf("got %T: %v", err, err)
	}
	var keys []string
	last := 0
	for _, e := range errs {
		keys = append(keys, e.Key)
		if e.Line < last {
			t.Errorf("line %d after line %d", e.Line, last)
		}
		last = e.Line
	}
	if got, want := strings.Join(keys, " "), "hook.run hook.watch app.grace app.stdn nonsense"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	var one *Error
	if !errors.As(err, &one) || one.Key != "hook.run" {
		t.Errorf("errors.As finds %v, want the first problem", one)
	}
}

func TestParseValues(t *testing.T) {
	cfg, err := parse(`
[app]
package = "./cmd/shop"
env_files = [".env", "../shared/.env", "/etc/shop.env"]
stop_signal = "int"
grace = "0s"
[watch]
include = ["./templates/", "sql/*.sql"]
exclude = []
poll = "250ms"
[ready]
tcp = "8080"
[[database]]
[[database]]
url_env = ["B"]
mode = "drain"
[[hook]]
name = "shell"
watch = ["a"]
run = "a | b"
[[hook]]
name = "list"
outputs = ["gen/"]
run = ["a", "b c"]
then = "none"
migrates = true
`)
	if err != nil {
		t.Fatal(err)
	}
	want := Default("/repo/app")
	want.Path, want.Dir = "/repo/devguard.toml", "/repo"
	want.App.Package, want.App.BuildDir = "./cmd/shop", "/repo"
	want.App.EnvFiles = []string{"/repo/.env", "/shared/.env", "/etc/shop.env"}
	want.App.StopSignal, want.App.Grace = syscall.SIGINT, 0
	want.Watch = Watch{Include: []string{"templates/**", "sql/*.sql"}, Poll: Poll{PollOn, 250 * time.Millisecond}}
	want.Ready.TCP = "127.0.0.1:8080"
	second := defaultDatabase()
	second.URLEnv, second.Mode = []string{"B"}, ModeDrain
	want.Databases = append(want.Databases, second)
	want.Hooks = []Hook{
		{Name: "shell", Watch: []string{"a"}, Shell: "a | b", Then: ThenRebuild, Line: 17},
		{Name: "list", Outputs: []string{"gen/**"}, Command: []string{"a", "b c"}, Then: ThenNone, Migrates: true, Line: 21},
	}
	if !reflect.DeepEqual(cfg, want) {
		t.Errorf("got\n%+v\nwant\n%+v", cfg, want)
	}
}

func TestParseAcceptsByteOrderMarkAndCRLF(t *testing.T) {
	cfg, err := parse("\ufeff[app]\r\nstdin = true\r\n")
	if err != nil || !cfg.App.Stdin {
		t.Errorf("got %+v, %v", cfg, err)
	}
}

// secrets are values that a person may put where they do not belong.
func TestProblemsNeverQuoteSecrets(t *testing.T) {
	const secret = "hunter2"
	for _, text := range []string{
		"[[database]]\nurl_env = ['postgres://u:hunter2@h/d']",
		"[[database]]\nurl_env = 'postgres://u:hunter2@h/d'",
		"[[database]]\ndirect_url_env = 'postgres://u:hunter2@h/d'",
		"[[database]]\nurl_env = ['postgres://u:hunter2@h/d']\n[[database]]\nurl_env = ['postgres://u:hunter2@h/d']",
		"[build]\nflags = ['-ldflags -X main.key=hunter2', 'main.key=hunter2']",
		"[ready]\nhttp = 'ftp://u:hunter2@h/'",
		"[ready]\nhttp = 'http://u:hunter2@h:port/'",
		"[ready]\ntcp = 'u:hunter2@h'",
		"[app]\nargs = ['hunter2', 1]",
		"[app]\nargs = ['hunter2]",
	} {
		if _, err := parse(text); err == nil || strings.Contains(logtest.Text(err), secret) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "\n", "[app]\ngrace = '5s'\n", "[[hook]]\nname='x'\nrun=['a']\nwatch=['**/*.sql']\n",
		"[[hook]]\nname='x'\n[[hook.watch]]\na=1\n", "hook = [{name='x', run='y', watch=['z']}, 3]",
		"a.b.c = {d = [1, {e = 'f'}]}", "[build]\nflags=['-tags', '-o', '-o']", "[watch]\npoll='-1h'",
		"name='-'\nlog_format=''", "[ready]\nhttp='http://[::1'\ntcp='[::1]:1'", "'' = 1", "[app]\nstop_signal='ſIGTERM'",
		"[[database]]\nurl_env=['A','A']\nembedded=true", "\ufeff[app]", "x = [[[[]]]]", "[[a]]\n[[a.b]]\n[[a.b]]\n[a.b.c]\nd=1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		cfg, err := parse(text)
		again, errAgain := parse(text)
		if !reflect.DeepEqual(cfg, again) || !reflect.DeepEqual(err, errAgain) {
			t.Fatalf("two answers: %+v %v, %+v %v", cfg, err, again, errAgain)
		}
		if err == nil {
			checkFrozen(t, cfg)
			return
		}
		var errs Errors
		if !errors.As(err, &errs) || len(errs) == 0 {
			t.Fatalf("not Errors: %T %v", err, err)
		}
		for _, e := range errs {
			if lines := 1 + strings.Count(text, "\n"); e.Line < 1 || e.Line > lines || e.Col < 1 || e.Msg == "" {
				t.Fatalf("%+v, with %d lines", e, lines)
			}
		}
	})
}

// checkFrozen checks what the rest of devguard relies on.
func checkFrozen(t *testing.T, cfg *Config) {
	if cfg.App.Package != "" && len(cfg.App.Command) > 0 || cfg.App.Grace < 0 || cfg.App.StopSignal <= 0 {
		t.Fatalf("app: %+v", cfg.App)
	}
	if len(cfg.Databases) == 0 || cfg.Ready.Timeout <= 0 || cfg.Ready.HTTP != "" && cfg.Ready.TCP != "" {
		t.Fatalf("databases %+v, ready %+v", cfg.Databases, cfg.Ready)
	}
	if (cfg.Watch.Poll.Every > 0) == (cfg.Watch.Poll.Mode == PollOff) {
		t.Fatalf("poll: %+v", cfg.Watch.Poll)
	}
	if cfg.Name != "" && folderName(cfg.Name) == "" {
		t.Fatalf("name %q", cfg.Name)
	}
	for _, hook := range cfg.Hooks {
		if (hook.Shell == "") == (len(hook.Command) == 0) || hook.Name == "" || hook.Line < 1 {
			t.Fatalf("hook: %+v", hook)
		}
	}
}

func TestDistance(t *testing.T) {
	tests := []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "acb", 1}, {"grace", "garce", 1}, {"watch", "wach", 1}, {"kitten", "sitting", 3}}
	for _, test := range tests {
		if got := distance(test.a, test.b); got != test.want {
			t.Errorf("distance(%q, %q) = %d, want %d", test.a, test.b, got, test.want)
		}
	}
}
