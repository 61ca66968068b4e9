package translate

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/devguard/devguard/supervisor/config"
)

// parsed translates an .air.toml, and returns what config makes of the result.
func parsed(t *testing.T, text string, facts Facts) (*config.Config, *Result) {
	t.Helper()
	r, err := Translate(".air.toml", []byte(text), facts)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Parse(config.File, "", "/", []byte(r.Text))
	if err != nil {
		t.Fatalf("%v\n%s", err, r.Text)
	}
	return cfg, r
}

// airPrograms are ways to build and run, with what becomes of them: [app] and build.flags in one
// line, then the hooks, EnvFile, and parts of the notes.
var airPrograms = []struct {
	name, build string
	app         string
	hooks       []string // "name: run"
	env         string
	notes       []string
}{
	{name: "nothing", build: "", app: "package ."},
	{name: "flags", build: `cmd = "go build -tags 'a b' -ldflags=\"-X 'main.v=1'\" -v -o tmp/x ./cmd/x/"
bin = "tmp/x"`, app: "package ./cmd/x [-tags a b -ldflags=-X 'main.v=1']", notes: []string{"-v changes nothing"}},
	{name: "a value that a shell makes", build: `cmd = "CGO_ENABLED=1 go build -trimpath -tags=jsoniter,unembed -ldflags=\"-X 'a.b=$(date +%s)'\" -v -o ./tmp/main ."
full_bin = "APP_ENV=dev NAME='a b' HOST=$HOSTNAME ./tmp/main"`,
		app: "package . [-trimpath -tags=jsoniter,unembed]", env: "APP_ENV=dev NAME='a b'",
		notes: []string{"-ldflags has a value that a shell makes", "CGO_ENABLED=1 for the build", "a shell would make the value of HOST"}},
	{name: "a generator in cmd", build: `cmd = "templ generate && go build -o ./tmp/main ."
include_ext = ["go", "templ"]`, app: "package .", hooks: []string{"templ generate: templ generate"}},
	{name: "generators before", build: `pre_cmd = ["echo hi", "lsof -i :8080 | xargs kill -9", "sqlc generate", "npx tailwindcss -i in.css -o out.css", "make templ-generate", "swag init -g main.go -o api/docs", "go generate ./...", "sh gen.sh"]
include_ext = ["go", "sql"]`, app: "package .",
		hooks: []string{"sqlc generate: sqlc generate", "tailwindcss: npx tailwindcss -i in.css -o out.css", "templ-generate: make templ-generate",
			"swag init: swag init -g main.go -o api/docs", "generate: go generate ./...", "gen.sh: sh gen.sh"},
		notes: []string{"echo hi", "devguard ends the old process tree itself"}},
	{name: "a migration", build: `pre_cmd = ["goose -dir db up"]`, app: "package ."},
	{name: "another directory", build: `cmd = "cd backend && go build -o ../tmp/main ./cmd/api"
bin = "tmp/main"`, app: "package ./backend/cmd/api"},
	{name: "there and back", build: `cmd = "mkdir -p tmp && go mod tidy && cd web && npm run build && cd .. && go build -o ./tmp/main ."`, app: "package .",
		hooks: []string{"build: cd web && npm run build"}, notes: []string{"goes below .devguard", "a build changes no files of yours"}},
	{name: "what is built decides", build: `cmd = "go build -o ./bin/server ./cmd/server"`, app: "package ./cmd/server"},
	{name: "-C", build: `cmd = "go build -C backend -o ./tmp/main ./cmd/api"`, app: "package ./backend/cmd/api"},
	{name: "Windows", build: `cmd = 'go build -o .\tmp\main.exe .\cmd\api'
bin = 'tmp\main.exe'
args_bin = ['--config', 'C:\conf\x.yaml']`, app: "package ./cmd/api --config C:/conf/x.yaml"},
	{name: ".exe alone", build: `cmd = "go build -o ./tmp/main.exe ."
bin = "tmp/main"`, app: "package ."},
	{name: "a pattern", build: `cmd = "go build -o ./tmp/main ./cmd/server/..."`, app: "package ./cmd/server"},
	{name: "all packages", build: `cmd = "go build -o ./tmp/ ./..."
bin = "./tmp/app"`, app: "command ./tmp/app", hooks: []string{"build: go build -o ./tmp/ ./..."}},
	{name: "an import path", build: `cmd = "go build -o ./tmp/main example.com/x/cmd/y"`, app: "package example.com/x/cmd/y"},
	{name: "a pipeline", build: `cmd = "go build -o ./tmp/main . 2>&1 | tee build.log"`, app: "command ./tmp/main", hooks: []string{"build: go build -o ./tmp/main . 2>&1 | tee build.log"}},
	{name: "a pipeline behind the app", build: `full_bin = "./tmp/main serve | jq"`, app: "package .", notes: []string{`the "|" of a shell`}},
	{name: "make", build: `cmd = "make build"
bin = "bin/app"
args_bin = ["serve", "--dev"]`, app: "command bin/app serve --dev", hooks: []string{"build: make build"}},
	{name: "the program is another", build: `cmd = "go build -o ./tmp/main ."
bin = "./run.sh"`, app: "command ./run.sh", hooks: []string{"build: go build -o ./tmp/main ."}},
	{name: "dlv", build: `full_bin = "dlv exec ./tmp/main --headless --listen=:2345 -- serve"
cmd = "go build -gcflags='all=-N -l' -o ./tmp/main ."`, app: "package . [-gcflags=all=-N -l] serve", notes: []string{"`devguard debug`"}},
	{name: "a wrapper", build: `bin = "/usr/bin/doppler run -- ./tmp/main"`, app: "package .", notes: []string{"`/usr/bin/doppler run -- devguard run`"}},
	{name: "godotenv", build: `full_bin = "godotenv -f .env ./fider"
cmd = "go build -o fider ."`, app: "package . env .env"},
	{name: "entrypoint", build: `entrypoint = ["./tmp/main", "--port", "80"]
args_bin = ["'a b'"]`, app: "package . --port 80 a b"},
	{name: "arguments that a shell would expand", build: `args_bin = ["$PORT"]`, app: "package .", notes: []string{"nothing expands the $"}},
	{name: "after the build", build: `cmd = "go build -o ./tmp/main . && cp x y"
post_cmd = ["docker compose down"]`, app: "package .", notes: []string{"cp x y", "devguard run; docker compose down"}},
	{name: "for a system", build: `cmd = "make"
[build.linux]
cmd = "go build -o ./tmp/main ./linux"
[build.windows]
cmd = "go build ./windows"`, app: "package ./linux", notes: []string{"build.windows: for another system"}},
}

func TestAirPrograms(t *testing.T) {
	for _, test := range airPrograms {
		t.Run(test.name, func(t *testing.T) {
			cfg, r := parsed(t, "[build]\n"+test.build, Facts{GOOS: "linux"})
			if got := appLine(cfg); got != test.app {
				t.Errorf("got  %s\nwant %s\n%s", got, test.app, r.Text)
			}
			var hooks []string
			for _, h := range cfg.Hooks {
				hooks = append(hooks, h.Name+": "+h.Shell)
			}
			if strings.Join(hooks, "\n") != strings.Join(test.hooks, "\n") {
				t.Errorf("hooks %q, want %q", hooks, test.hooks)
			}
			_, env, _ := strings.Cut(strings.TrimSpace(r.Env), "\n")
			if strings.ReplaceAll(env, "\n", " ") != test.env {
				t.Errorf("variables %q", env)
			}
			var notes strings.Builder
			for _, n := range r.Notes {
				notes.WriteString(n.Key + ": " + n.Why + "\n")
			}
			for _, note := range test.notes {
				if !strings.Contains(notes.String(), note) {
					t.Errorf("no note says %q:\n%s", note, &notes)
				}
			}
		})
	}
}

// appLine is what is run, with build flags and env files.
func appLine(cfg *config.Config) string {
	line := "package " + cfg.App.Package
	if cfg.App.Package == "" {
		line = strings.Join(append([]string{"command"}, cfg.App.Command...), " ")
	}
	if len(cfg.Build.Flags) > 0 {
		line += " [" + strings.Join(cfg.Build.Flags, " ") + "]"
	}
	for _, file := range cfg.App.EnvFiles {
		if file = strings.TrimPrefix(file, "/"); file != EnvFile {
			line += " env " + file
		}
	}
	return strings.Join(append([]string{line}, cfg.App.Args...), " ")
}

func TestAirMigrationsAreCommentedOut(t *testing.T) {
	cfg, r := parsed(t, "[build]\npre_cmd = [\"goose -dir db up\"]\n", Facts{})
	if len(cfg.Hooks) != 0 || !strings.Contains(r.Text, "# run = \"goose -dir db up\"\n# migrates = true\n") {
		t.Errorf("got\n%s", r.Text)
	}
}

func TestAirAsksAboutFiles(t *testing.T) {
	facts := Facts{
		Package: func(files []string) (string, bool) { return "./cmd/api", files[0] == "cmd/api/main.go" },
		Exists:  func(file string) bool { return file == ".env" },
	}
	cfg, r := parsed(t, "env_files = ['.env', '.env.local']\n[build]\ncmd = 'go build -o ./tmp/main cmd/api/main.go'", facts)
	if got := appLine(cfg); got != "package ./cmd/api env .env" || !strings.Contains(r.Text, ".env.local does not exist") {
		t.Errorf("got %s\n%s", got, r.Text)
	}
	if cfg, _ := parsed(t, "[build]\ncmd = 'go build -o ./tmp/main ./cmd/one.go'", facts); cfg.App.Package != "./cmd/one.go" {
		t.Errorf("a part of a package: %s", cfg.App.Package)
	}
}

func TestAirReadsAllFilesOfVariables(t *testing.T) {
	cfg, r := parsed(t, "env_files = ['c', 'b']\n[build]\nfull_bin = 'X=1 godotenv -f a,b ./tmp/main'", Facts{GOOS: "linux"})
	if got, want := strings.Join(cfg.App.EnvFiles, " "), "/a /c /b /"+EnvFile; got != want {
		t.Errorf("files %s, want %s", got, want)
	}
	if want := `env_files = ["a", "c", "b", "devguard.env"] # line 3, build.full_bin; line 1, env_files`; !strings.Contains(r.Text, want) {
		t.Errorf("no line\n%s\nin\n%s", want, r.Text)
	}
	for _, n := range r.Notes {
		if n.Key == "env_files" || n.Key == "build.full_bin" {
			t.Errorf("%s is noted as left out: %s", n.Key, n.Why)
		}
	}
}

func TestAirWatching(t *testing.T) {
	tests := []struct {
		name, text       string
		include, exclude string
	}{
		{"defaults", "", "**/*.{tpl,tmpl,html}", "assets/** tmp/** vendor/** testdata/**"},
		{"the defaults of devguard", "[build]\ninclude_ext = ['go','html','tmpl','tpl','gohtml','sql']\nexclude_dir = []", "**/*.{html,tmpl,tpl,gohtml,sql}", "tmp/** testdata/**"},
		{"Go alone", "[build]\ninclude_ext = ['go']", "", ""},
		{"everything", "[build]\ninclude_ext = ['*']\nexclude_dir = ['node_modules', 'web/node_modules', ' a/ ']", "**/*", "a/** tmp/** testdata/**"},
		{"directories", "[build]\ninclude_dir = ['web', '../shared']\ninclude_ext = ['html']\nexclude_dir = ['web/dist', 'docs']", "web/**/*.html", "web/dist/**"},
		{"files", "[build]\ninclude_file = ['conf.yaml', 'main.go']\ninclude_ext = ['go']\nexclude_dir = []", "conf.yaml", "tmp/** testdata/**"},
		{"expressions", `[build]
exclude_dir = []
exclude_file = ["web/*.min.html", "a_gen.go"]
exclude_regex = ["_test.go", "\\.gen\\.html$", "/cache/", "^.*draft.*$", "(?i)x"]`, "**/*.{tpl,tmpl,html}", `tmp/** testdata/** web/*.min.html **/*.gen.html **/cache/** **/*draft* **/*draft*/**`},
		{"a root", "root = 'backend'\ntmp_dir = 'out'\n[build]\nexclude_dir = ['x']", "backend/**/*.{tpl,tmpl,html}", "backend/x/** backend/out/** backend/testdata/**"},
		{"odd names", "[build]\ninclude_ext = ['a,b{', '.yml']\nexclude_dir = ['[x]']", `**/*.{a\,b\{,yml}`, `\[x\]/** tmp/** testdata/**`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cfg, r := parsed(t, test.text, Facts{})
			if got := strings.Join(cfg.Watch.Include, " "); got != test.include {
				t.Errorf("include %s, want %s\n%s", got, test.include, r.Text)
			}
			if got := strings.Join(cfg.Watch.Exclude, " "); got != test.exclude {
				t.Errorf("exclude %s, want %s\n%s", got, test.exclude, r.Text)
			}
		})
	}
}

// TestAirFilesOfPages: with a front a change of a stylesheet or script is for pages, and restarts nothing.
func TestAirFilesOfPages(t *testing.T) {
	const proxy = "\n[proxy]\nenabled = true\nproxy_port = 8090\n"
	for _, test := range []struct{ build, include, exclude, says string }{
		{"include_ext = ['go', 'html', 'css']\nexclude_dir = ['tmp', 'node_modules']", "**/*.html", "tmp/** testdata/**", "# Without go: the Go files of the program are always watched. Without css: the front has pages take them # anew (front.reload)"},
		{"include_ext = ['go', 'css', 'js']\ninclude_file = ['web/app.js', 'a.yaml']", "a.yaml", "assets/** tmp/** vendor/** testdata/**", "web/app.js: pages take it anew"},
		{"include_ext = ['go', 'css']", "", "assets/** tmp/** vendor/** testdata/**", "Without css: "},
		{"include_ext = ['*']\nexclude_dir = []", "**/*", "tmp/** testdata/**", "# A change of a stylesheet or script restarts the app"},
	} {
		cfg, r := parsed(t, "[build]\n"+test.build+proxy, Facts{})
		if got := strings.Join(cfg.Watch.Include, " "); got != test.include {
			t.Errorf("include %s, want %s\n%s", got, test.include, r.Text)
		}
		if got := strings.Join(cfg.Watch.Exclude, " "); got != test.exclude {
			t.Errorf("exclude %s, want %s\n%s", got, test.exclude, r.Text)
		}
		if !strings.Contains(strings.Join(strings.Fields(r.Text), " "), test.says) {
			t.Errorf("does not say %q\n%s", test.says, r.Text)
		}
		if want := below(nil, reloaded); !slices.Equal(cfg.Front.Reload, want) {
			t.Errorf("front.reload is %q, and %q is left to it", cfg.Front.Reload, want)
		}
	}
	cfg, r := parsed(t, "[build]\ninclude_ext = ['go', 'html', 'css']", Facts{})
	if got := strings.Join(cfg.Watch.Include, " "); got != "**/*.{html,css}" {
		t.Errorf("without a front: %s\n%s", got, r.Text)
	}
}

// TestAirExcludedDirectories: where each glob of watch.exclude is from, and what is none.
func TestAirExcludedDirectories(t *testing.T) {
	for text, want := range map[string]string{
		"[build]\nexclude_dir = ['tmp', 'node_modules']":                  "# devguard ignores node_modules by itself\nexclude = [\"tmp/**\", \"testdata/**\"] # line 2, build.exclude_dir; testdata is air's default of testdata_dir\n",
		"tmp_dir = 'out'\ntestdata_dir = 'td'\n[build]\nexclude_dir = []": "exclude = [\"out/**\", \"td/**\"] # line 4, build.exclude_dir; line 1, tmp_dir; line 2, testdata_dir\n",
		"[build]\ninclude_dir = ['web']\nexclude_dir = ['node_modules']":  "#   build.exclude_dir (3): devguard ignores node_modules by itself\n",
	} {
		if _, r := parsed(t, text, Facts{}); !strings.Contains(r.Text, want) {
			t.Errorf("no\n%s\nin\n%s", want, r.Text)
		}
	}
}

func TestAirRulesBecomeHooks(t *testing.T) {
	cfg, r := parsed(t, `
[[build.rules]]
name = "css"
cmd = "npm run css"
include_dir = ["web"]
include_ext = ["css", "scss"]
delay = 10
[[build.rules]]
cmd = "sqlc generate"
include_file = ["sqlc.yaml"]
`, Facts{})
	if len(cfg.Hooks) != 2 || cfg.Hooks[0].Watch[0] != "web/**/*.{css,scss}" || cfg.Hooks[0].Then != config.ThenNone || cfg.Hooks[1].Watch[0] != "sqlc.yaml" {
		t.Errorf("got %+v\n%s", cfg.Hooks, r.Text)
	}
}

func TestAirProxyBecomesTheFront(t *testing.T) {
	for text, want := range map[string][2]string{
		"enabled = true\nproxy_port = 8090\napp_port = 8080\napp_start_timeout = 5000": {"127.0.0.1:8090", "127.0.0.1:8080"},
		"enabled = true\nproxy_port = 8090":                                            {"127.0.0.1:8090", ""},
		"enabled = true\napp_port = 8080":                                              {"", ""},
		"enabled = false\nproxy_port = 8090\napp_port = 8080":                          {"", ""},
		"enabled = true\nproxy_port = 70000\napp_port = 8080":                          {"", ""},
		"enabled = true\nproxy_port = 8090\napp_port = 70000":                          {"127.0.0.1:8090", ""},
	} {
		cfg, r := parsed(t, "[proxy]\n"+text, Facts{})
		if got := [2]string{cfg.Front.Listen, cfg.Front.Target}; got != want {
			t.Errorf("%q: %q\n%s", text, got, r.Text)
		}
		for _, key := range []string{"proxy.enabled", "proxy.app_port"} {
			if strings.Contains(text, strings.TrimPrefix(key, "proxy.")) && !strings.Contains(r.Text, key) {
				t.Errorf("%q: nothing is said of %s\n%s", text, key, r.Text)
			}
		}
	}
}

func TestMistakes(t *testing.T) {
	tests := []struct{ name, file, text, message, hint string }{
		{"no TOML", ".air.toml", "[build]\ncmd = \"go build\n", ".air.toml:2:", "air cannot read it either"},
		{"a string for a list", ".air.toml", "[build]\n\npre_cmd = \"templ generate\"\n", ".air.toml:3:1: build.pre_cmd: want a list of strings", "air does not start with it either"},
		{"a number for a string", ".air.toml", "[build]\ncmd = 1\n", ".air.toml:2:1: build.cmd: want a string", ""},
		{"a duration", ".air.toml", "[build]\nkill_delay = \"5 seconds\"\n", ".air.toml:2:1: build.kill_delay: want a number of milliseconds", ""},
		{"of a system", ".air.toml", "[build.linux]\nbin = []\n", ".air.toml:2:1: build.linux.bin: want a string", ""},
		{"of a rule", ".air.toml", "[[build.rules]]\ncmd = []\n", ".air.toml:2:1: build.rules[0].cmd: want a string", ""},
		{"no JSON", "nodemon.json", "{\n\"exec\": }", "nodemon.json:2:1: is no JSON object", "nodemon cannot read it either"},
		{"no nodemon", "package.json", `{"scripts": {}}`, "package.json: has no nodemonConfig", "devguard init --from -"},
		{"a flag of reflex", "reflex.conf", "# x\n-z go run .\n", "reflex.conf:2:1: reflex has no flag -z", ""},
		{"reflex -c", "-", "reflex -c reflex.conf", "stdin:1:1: the lines are in reflex.conf", "devguard init --from reflex.conf"},
		{"an empty reflex.conf", "reflex.conf", "\n# x\n", "reflex.conf: has no line", ""},
		{"a flag of nodemon", "-", "nodemon --frobnicate x", "stdin:1:1: nodemon has no flag -frobnicate", ""},
		{"something else", "-", "hello world", "stdin: is no configuration", ".air.toml, reflex.conf, nodemon.json"},
		{"nothing", "-", "", "stdin: is no configuration", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Translate(test.file, []byte(test.text), Facts{})
			var errs config.Errors
			if !errors.As(err, &errs) {
				t.Fatalf("got %v", err)
			}
			if !strings.HasPrefix(err.Error(), test.message) || !strings.Contains(errs.Hint(), test.hint) {
				t.Errorf("got %v\n(%s)", err, errs.Hint())
			}
		})
	}
}

func TestUnknownKeysOfAirAreSaid(t *testing.T) {
	_, r := parsed(t, "tmp_folder = '.'\n[build]\nexclude_dirs = ['x']\n[watch]\nincludes = []\n", Facts{})
	var got []string
	for _, n := range r.Notes {
		if n.Kind == Unknown {
			got = append(got, n.Key+": "+n.Why)
		}
	}
	want := []string{"tmp_folder: air has no such key, and passes over it", "build.exclude_dirs: air has no such key, and passes over it; build.exclude_dir may have been meant", "watch: air has no such key, and passes over it"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q", got)
	}
}
