package e2e_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	adviceHook     = "[[hook]]\nname = \"x\"\nwatch = [\"x\"]\nrun = \"true\"\n"
	adviceDatabase = "[[database]]\n"
)

// configurationAdvice are mistakes in devguard.toml, a part of what is advised, and what it is to type.
var configurationAdvice = []struct{ wrong, advised, right string }{
	{`name = "a b"`, "use up to 64 letters, digits, '.', '_' and '-'", `name = "A-b_2.c"`},
	{`name = "embedded"`, "choose another", `name = "another"`},
	{`log_format = "yaml"`, "write one of pretty, text, json", `log_format = "json"`},
	{`log_format = "jsn"`, `did you mean "json"?`, `log_format = "json"`},
	{`verbose = "yes"`, "true or false, without quotes", `verbose = true`},
	{`nmae = "x"`, `did you mean "name"?`, `name = "x"`},
	{`app.pakage = "./cmd/app"`, `did you mean "app.package"?`, `app.package = "./cmd/app"`},
	{`app.unheardOf = 1`, "the keys here are args, ", `app.args = ["1"]`},
	{`app = 1`, "write [app]", "[app]\npackage = \"./cmd/app\""},
	{`ready = 1`, "write [ready]", "[ready]\nhttp = \"/\""},
	{`database = 1`, "write [[database]], with two brackets", "[[database]]"},
	{"[hook]\nname = 'x'", "write [[hook]], with two brackets", adviceHook},
	{`hook = ["x"]`, "write [[hook]]", adviceHook},

	{`app.package = "-race"`, "write a package, like ./cmd/app", `app.package = "./cmd/app"`},
	{`app.package = "./..."`, "name the one to run, like ./cmd/app", `app.package = "./cmd/app"`},
	{`app.package = "./cmd/app "`, "write a package, like ./cmd/app", `app.package = "./cmd/app"`},
	{`app.package = "./cmd/ap"`, `did you mean "./cmd/app"?`, `app.package = "./cmd/app"`},
	{"app.package = \"./cmd/app\"\napp.command = ['true']", "keep one of them", `app.package = "./cmd/app"`},
	{`app.command = "true"`, `a list of strings, like ["npm", "run", "dev"]`, `app.command = ["npm", "run", "dev"]`},
	{`app.command = ["", "x"]`, "write the program's name first", `app.command = ["true", "x"]`},
	{`app.args = "x"`, `like ["-port", "8080"]`, `app.args = ["-port", "8080"]`},
	{`app.args = [1]`, "a string in quotes", `app.args = ["1"]`},
	{`app.args = ["a\u0000"]`, "remove it", `app.args = ["a"]`},
	{`app.env_files = [" "]`, "write the path of a file", `app.env_files = ["dev.env"]`},
	{`app.stop_signal = "SIGTEM"`, `did you mean "SIGTERM"?`, `app.stop_signal = "SIGTERM"`},
	{`app.stop_signal = "finish"`, "write one of SIG", `app.stop_signal = "SIGINT"`},
	{`app.grace = 5`, `a duration in quotes, like "5s" or "500ms"`, `app.grace = "500ms"`},
	{`app.grace = "5sec"`, `like "5s", "500ms" or "1m30s"`, `app.grace = "1m30s"`},
	{`app.grace = "-1s"`, `write "0s" or more`, `app.grace = "0s"`},

	{`build.flags = ["-o", "x"]`, "devguard chooses where the program is written", `build.flags = []`},
	{`build.flags = ["-n"]`, "it would build nothing", `build.flags = []`},
	{`build.flags = ["-json"]`, "devguard reads the compiler's plain messages", `build.flags = []`},
	{`build.flags = ["./cmd/app", "x"]`, "write packages in app.package and arguments of the app in app.args", "app.package = \"./cmd/app\"\napp.args = [\"x\"]"},
	{`build.flags = ["-tags dev"]`, `write "-tags", "..."`, `build.flags = ["-tags", "dev"]`},
	{`build.flags = ["-tags"]`, `write "-tags=..."`, `build.flags = ["-tags=dev"]`},
	{`build.flags = ["-buildmode=plugin"]`, "use default, exe or pie", `build.flags = ["-buildmode=pie"]`},

	{`watch.include = [""]`, `write a path or a glob, like "templates/**"`, `watch.include = ["templates/**"]`},
	{`watch.include = ["!tmp/**"]`, "use watch.exclude", `watch.exclude = ["tmp/**"]`},
	{`watch.include = ["/pages/*.html"]`, "write it relative to the directory of devguard.toml", `watch.include = ["pages/*.html"]`},
	{`watch.include = ["pages/[a.html"]`, "a backslash makes the next character ordinary", `watch.include = ['pages/\[a.html']`},
	{`watch.poll = ""`, `write "auto", "off" or an interval, like "2s"`, `watch.poll = "2s"`},
	{`watch.poll = "1ms"`, `write "10ms" or more`, `watch.poll = "10ms"`},

	{`ready.http = "healthz"`, `write a path, like "/healthz", or a URL with http:// or https://`, `ready.http = "/healthz"`},
	{`ready.http = "localhost:8080"`, `or a URL with http:// or https://`, `ready.http = "http://localhost:8080"`},
	{`ready.http = "http://localhost:80800"`, "ports are 1 to 65535", `ready.http = "http://localhost:65535"`},
	{`ready.tcp = "localhost"`, `write host:port, like "127.0.0.1:8080"`, `ready.tcp = "127.0.0.1:8080"`},
	{"ready.tcp = \"8080\"\nready.http = \"/\"", "keep one of them", `ready.tcp = "8080"`},
	{`ready.timeout = "0s"`, `write "1ms" or more`, `ready.timeout = "1ms"`},

	{adviceDatabase + `url_env = ["postgres://u:p@h/d"]`, "write the variable's name, like DATABASE_URL, not its value", adviceDatabase + `url_env = ["DATABASE_URL"]`},
	{adviceDatabase + `direct_url_env = "a-b"`, "write the variable's name, like DATABASE_URL", adviceDatabase + `direct_url_env = "DATABASE_URL"`},
	{adviceDatabase + "url_env = ['A']\n" + adviceDatabase + "url_env = ['A']", "name each variable in one [[database]] only", adviceDatabase + "url_env = ['A']"},
	{adviceDatabase + `mode = "sesion"`, `did you mean "session"?`, adviceDatabase + `mode = "session"`},
	{adviceDatabase + `mode = "none at all"`, "write one of auto, session, transaction, drain, off", adviceDatabase + `mode = "drain"`},
	{adviceDatabase + "embedded = true\nurl_env = []", `name one, like url_env = ["DATABASE_URL"]`, adviceDatabase + "embedded = true\nurl_env = [\"DATABASE_URL\"]"},
	{adviceDatabase + `listen = "0.0.0.0:6432"`, `like listen = "127.0.0.1:6432"`, adviceDatabase + `listen = "127.0.0.1:6432"`},
	{adviceDatabase + `drain_timeout = "0s"`, `write "1ms" or more`, adviceDatabase + `drain_timeout = "1ms"`},

	{"[[hook]]\nwatch = ['x']\nrun = 'true'", `write name = "..."`, "[[hook]]\nname = \"...\"\nwatch = ['x']\nrun = 'true'"},
	{"[[hook]]\nname = ''\nwatch = ['x']\nrun = 'true'", "write a short word", "[[hook]]\nname = 'sqlc'\nwatch = ['x']\nrun = 'true'"},
	{"[[hook]]\nname = 'x'\nwatch = ['x']", `write run = "..."`, "[[hook]]\nname = 'x'\nwatch = ['x']\nrun = \"...\""},
	{"[[hook]]\nname = 'x'\nwatch = ['x']\nrun = ''", "write the command to run", adviceHook},
	{"[[hook]]\nname = 'x'\nwatch = ['x']\nrun = []", "write the program and its arguments", "[[hook]]\nname = 'x'\nwatch = ['x']\nrun = ['true', 'x']"},
	{"[[hook]]\nname = 'x'\nwatch = ['x']\nrun = 1", `or a list of strings, like ["sqlc", "generate"]`, "[[hook]]\nname = 'x'\nwatch = ['x']\nrun = [\"sqlc\", \"generate\"]"},
	{"[[hook]]\nname = 'x'\nrun = 'true'", `write watch = ["..."]`, "[[hook]]\nname = 'x'\nwatch = [\"...\"]\nrun = 'true'"},
	{adviceHook + adviceHook, "give each hook a name of its own", adviceHook + strings.Replace(adviceHook, `"x"`, `"y"`, 1)},
	{adviceHook + `then = "rebuil"`, `did you mean "rebuild"?`, adviceHook + `then = "rebuild"`},
	{adviceHook + `then = "reset-connections"`, "write one of rebuild, restart, reload, none", adviceHook + `then = "restart"`},
}

// TestAdviceOnConfiguration makes each mistake of devguard.toml, finds what is advised, and types
// that: the file is taken then.
func TestAdviceOnConfiguration(t *testing.T) {
	t.Parallel()
	for _, tt := range configurationAdvice {
		t.Run(tt.wrong, func(t *testing.T) {
			t.Parallel()
			dir := project(t, map[string]string{
				"cmd/app/main.go": "package main\n\nfunc main() {}\n", "dev.env": "", "devguard.toml": orCommand(tt.wrong),
			})
			if said, err := explained(t, dir); err == nil || !strings.Contains(said, "devguard.toml:") && !strings.Contains(said, "package ") || !strings.Contains(said, tt.advised) {
				t.Fatalf("%v, not advised %q: %s", err, tt.advised, said)
			}
			write(t, filepath.Join(dir, "devguard.toml"), orCommand(tt.right))
			if said, err := explained(t, dir); err != nil {
				t.Errorf("as advised: %v: %s", err, said)
			}
		})
	}
}

// orCommand adds what is run to a configuration that does not say it: a command, for which nothing
// has to be listed.
func orCommand(toml string) string {
	if strings.Contains(toml, "app.package") || strings.Contains(toml, "app.command") || strings.Contains(toml, "[app]") || strings.HasPrefix(toml, "app = ") {
		return toml
	}
	return "app.command = [\"true\"]\n" + toml
}

// explained reads the configuration in dir, without running anything.
func explained(t *testing.T, dir string) (said string, err error) {
	t.Helper()
	c := exec.Command(binary(t), "explain", "x.txt")
	c.Dir = dir
	out, err := c.CombinedOutput()
	return string(out), err
}
