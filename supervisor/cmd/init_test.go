package cmd

import (
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/devguard/devguard/supervisor/config"
)

// tree writes files, path to contents, below a new directory.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// initialise runs Init in a project of files and loads what it wrote.
func initialise(t *testing.T, files map[string]string, environ ...string) (root, text, said string, cfg *config.Config) {
	t.Helper()
	root = tree(t, files)
	var w strings.Builder
	if err := Init(&w, root, environ); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(root, config.File))
	if err != nil {
		t.Fatal(err)
	}
	cfg, err = config.Load(filepath.Join(root, config.File), root, config.Overrides{})
	if err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	return root, string(data), w.String(), cfg
}

const goMod = "module example.com/shop\n\ngo 1.25\n"

var initHooks = []struct {
	name  string
	files map[string]string
	want  []config.Hook
}{
	{"nothing", map[string]string{"go.mod": goMod}, nil},
	{"prisma in its usual place", map[string]string{
		"package.json":                              "{}",
		"prisma/schema.prisma":                      "generator client {\n  provider = \"prisma-client\"\n  output   = \"../internal/db\"\n}\n",
		"node_modules/@prisma/client/schema.prisma": "",
	}, []config.Hook{{Name: "prisma", Watch: []string{"prisma/schema.prisma"}, Shell: "npx prisma generate", Outputs: []string{"internal/db/**"}}}},
	{"prisma with its configuration", map[string]string{
		"package.json": "{}", "prisma.config.ts": "", "prisma/schema.prisma": "",
	}, []config.Hook{{Name: "prisma", Watch: []string{"prisma/schema.prisma", "prisma.config.ts"}, Shell: "npx prisma generate"}}},
	{"prisma for Go, in several files", map[string]string{
		"go.mod":                  goMod,
		"db/schema/schema.prisma": "generator db {\n  provider = \"go run github.com/steebchen/prisma-client-go\"\n}\n",
		"db/schema/user.prisma":   "model User { id Int @id }\n",
	}, []config.Hook{{Name: "prisma", Watch: []string{"db/schema/**/*.prisma"}, Shell: "go run github.com/steebchen/prisma-client-go generate --schema db/schema/schema.prisma"}}},
	{"prisma beside its package.json", map[string]string{
		"web/package.json":         "{}",
		"web/prisma/schema.prisma": "",
	}, []config.Hook{{Name: "prisma", Watch: []string{"web/prisma/schema.prisma"}, Shell: "cd web && npx prisma generate"}}},
	{"sqlc 2, lists and directories", map[string]string{
		"sqlc.yaml":         "version: \"2\"\nsql:\n  - engine: postgresql\n    queries: queries # all of them\n    schema:\n      - \"db/schema.sql\"\n      - db/more/*.sql\n    gen:\n      go:\n        package: db\n        out: \"internal/db\"\n",
		"queries/users.sql": "-- name: GetUser :one\n",
		"db/schema.sql":     "",
	}, []config.Hook{{Name: "sqlc", Watch: []string{"sqlc.yaml", "db/schema.sql", "db/more/*.sql", "queries/*.sql"}, Shell: "sqlc generate", Outputs: []string{"internal/db/*.go"}}}},
	{"sqlc 1, JSON, pinned in go.mod, not at the top", map[string]string{
		"go.mod":          goMod + "tool (\n\tgithub.com/sqlc-dev/sqlc/cmd/sqlc // for db\n)\n",
		"db/sqlc.json":    `{"version": "1", "packages": [{"path": "gen", "queries": ["q.sql"], "schema": "schema"}]}`,
		"db/schema/a.sql": "",
	}, []config.Hook{{Name: "sqlc", Watch: []string{"db/sqlc.json", "db/schema/*.sql", "db/q.sql"}, Shell: "go tool sqlc generate -f db/sqlc.json", Outputs: []string{"db/gen/*.go"}}}},
	{"sqlc without anything that can be read", map[string]string{"sqlc.yml": "version: '2'\n"},
		[]config.Hook{{Name: "sqlc", Watch: []string{"sqlc.yml", "**/*.sql"}, Shell: "sqlc generate"}}},
	{"templ below directories", map[string]string{"web/views/a.templ": "", "web/b.templ": "", "mail/c.templ": ""},
		[]config.Hook{{Name: "templ", Watch: []string{"mail/**/*.templ", "web/**/*.templ"}, Shell: "templ generate", Outputs: []string{"mail/**/*_templ.go", "web/**/*_templ.go"}}}},
	{"templ at the top, pinned", map[string]string{"go.mod": goMod + "tool github.com/a-h/templ/cmd/templ\n", "a.templ": ""},
		[]config.Hook{{Name: "templ", Watch: []string{"**/*.templ"}, Shell: "go tool templ generate", Outputs: []string{"**/*_templ.go"}}}},
	{"buf", map[string]string{
		"buf.yaml": "version: v2\n", "buf.gen.yaml": "version: v2\nplugins:\n  - remote: buf.build/protocolbuffers/go\n    out: gen/go\n",
		"proto/shop/v1/shop.proto": "",
	}, []config.Hook{{Name: "buf", Watch: []string{"buf.gen.yaml", "buf.yaml", "proto/**/*.proto"}, Shell: "buf generate", Outputs: []string{"gen/go/**"}}}},
	{"buf in a directory", map[string]string{"api/buf.gen.yaml": "plugins:\n- out: .\n", "api/a.proto": ""},
		[]config.Hook{{Name: "buf", Watch: []string{"api/buf.gen.yaml", "api/**/*.proto"}, Shell: "cd api && buf generate"}}},
	{"go generate", map[string]string{
		"go.mod":                goMod,
		"internal/pill/pill.go": "package pill\n\n//go:generate stringer -type=Pill\n",
		"internal/api/api.go":   "package api\n\n//go:generate go run ./gen -config cfg.yaml -o api.gen.go openapi.yaml\n",
		"internal/api/cfg.yaml": "", "internal/api/openapi.yaml": "", "internal/api/gen/main.go": "package main\n",
		"internal/api/api.gen.go": "// Code generated by gen. DO NOT EDIT.\n\n//go:generate stringer\n",
		"internal/note/note.go":   "package note\n\n// A line with //go:generate in the middle is none.\n",
	}, []config.Hook{
		{Name: "go generate", Watch: []string{"internal/api/api.go", "internal/api/gen/**", "internal/api/cfg.yaml", "internal/api/openapi.yaml"}, Shell: "go generate ./internal/api", Outputs: []string{"internal/api/api.gen.go"}},
		{Name: "go generate internal/pill", Watch: []string{"internal/pill/pill.go"}, Shell: "go generate ./internal/pill"},
	}},
	{"go generate in a module of its own", map[string]string{
		"tools/go.mod": "module tools\n", "tools/x/x.go": "package x\n\n//go:generate mockgen -source=store.go -destination=mocks/store.go\n", "tools/x/store.go": "package x\n",
	}, []config.Hook{{Name: "go generate", Watch: []string{"tools/x/x.go", "tools/x/store.go"}, Shell: "cd tools && go generate ./x", Outputs: []string{"tools/x/mocks/store.go"}}}},
	{"go generate that runs a tool with a hook", map[string]string{
		"go.mod": goMod, "sqlc.yaml": "", "db/db.go": "package db\n\n//go:generate go run github.com/sqlc-dev/sqlc/cmd/sqlc@latest generate\n",
	}, []config.Hook{{Name: "sqlc", Watch: []string{"sqlc.yaml", "**/*.sql"}, Shell: "sqlc generate"}}},
	{"odd names", map[string]string{"we'b [1]/{x}/sqlc.yaml": "", "we'b [1]/bad\nname/sqlc.yaml": ""},
		[]config.Hook{{Name: "sqlc", Watch: []string{`we'b \[1\]/\{x\}/sqlc.yaml`, `we'b \[1\]/\{x\}/**/*.sql`}, Shell: `sqlc generate -f 'we'\''b [1]/{x}/sqlc.yaml'`}}},
	{"vendored and hidden", map[string]string{"vendor/x/sqlc.yaml": "", ".devguard/x/sqlc.yaml": "", ".git/a.templ": "", "testdata/buf.gen.yaml": "", "_x/a.templ": ""}, nil},
}

func TestInitHooks(t *testing.T) {
	for _, test := range initHooks {
		t.Run(test.name, func(t *testing.T) {
			root, text, said, cfg := initialise(t, test.files)
			got := cfg.Hooks
			for i := range got {
				got[i].Line, got[i].Then = 0, ""
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got\n%+v\nwant\n%+v\n%s", got, test.want, text)
			}
			for _, hook := range got {
				if !strings.Contains(said, `hook "`+hook.Name+`"`) {
					t.Errorf("said nothing of hook %s:\n%s", hook.Name, said)
				}
				if matches, err := doublestar.Glob(os.DirFS(root), hook.Watch[0]); err != nil || len(matches) == 0 {
					t.Errorf("hook %s watches nothing: %v", hook.Name, err)
				}
			}
		})
	}
}

func TestInitMergesManyGoGenerates(t *testing.T) {
	files := map[string]string{"go.mod": goMod, "sub/go.mod": "module sub\n", "sub/s.go": "package s\n\n//go:generate a\n"}
	for _, name := range []string{"a", "b", "c", "d"} {
		files[name+"/x.go"] = "package x\n\n//go:generate stringer -type=T\n"
	}
	_, text, _, cfg := initialise(t, files)
	if len(cfg.Hooks) != 1 || cfg.Hooks[0].Shell != "go generate ./... && (cd sub && go generate ./...)" || len(cfg.Hooks[0].Watch) != 5 {
		t.Errorf("got\n%s", text)
	}
}

// TestInitHookRuns runs what init wrote the way hooks are run.
func TestInitHookRuns(t *testing.T) {
	root, text, _, cfg := initialise(t, map[string]string{
		"mod a/go.mod": "module a\n\ngo 1.25\n", "mod a/x/in.txt": "made\n", "mod a/x/x.go": "package x\n\n//go:generate cp in.txt out.txt\n",
	})
	if len(cfg.Hooks) != 1 {
		t.Fatal(text)
	}
	run := exec.Command("sh", "-c", cfg.Hooks[0].Shell)
	run.Dir = root
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cfg.Hooks[0].Shell, err, out)
	}
	if made, err := os.ReadFile(filepath.Join(root, "mod a/x/out.txt")); err != nil || string(made) != "made\n" {
		t.Errorf("got %q, %v", made, err)
	}
}

func TestInitMigrations(t *testing.T) {
	const secret = "hunter2"
	goose := map[string]string{"go.mod": goMod, "db/migrations/001_users.sql": "-- +goose Up\nCREATE TABLE users ();\n-- +goose Down\n"}
	migrate := map[string]string{"migrations/1_users.up.sql": "", "migrations/1_users.down.sql": ""}
	tests := []struct {
		name    string
		files   map[string]string
		dotenv  string
		environ []string
		line    string
		hook    config.Hook
	}{
		{"goose, from the environment", goose, "", []string{"PATH=/bin", "DATABASE_URL=postgres://u:hunter2@h/d"},
			"# It would change the database that DATABASE_URL names (now set in the environment), by way of DIRECT_URL where that is set.",
			config.Hook{Name: "goose", Watch: []string{"db/migrations/*.sql"}, Shell: `goose -dir db/migrations postgres "$DATABASE_URL" up`}},
		{"golang-migrate, from .env", migrate, "SHOP_DB='postgresql://u:hunter2@h/d'\n", nil,
			"# It would change the database that SHOP_DB names (now set in .env), by way of DIRECT_URL where that is set.",
			config.Hook{Name: "golang-migrate", Watch: []string{"migrations/*.sql"}, Shell: `migrate -path migrations -database "$SHOP_DB" up`}},
		{"unset", goose, "", nil,
			"# It would change the database that DATABASE_URL names (not set now), by way of DIRECT_URL where that is set.",
			config.Hook{Name: "goose", Watch: []string{"db/migrations/*.sql"}, Shell: `goose -dir db/migrations postgres "$DATABASE_URL" up`}},
		{"the default's name wins over a URL", migrate, "A_URL=postgres://u:hunter2@h/a\nDATABASE_URL=postgres://u:hunter2@h/d\n", nil,
			"# It would change the database that DATABASE_URL names (now set in .env), by way of DIRECT_URL where that is set.",
			config.Hook{Name: "golang-migrate", Watch: []string{"migrations/*.sql"}, Shell: `migrate -path migrations -database "$DATABASE_URL" up`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			files := map[string]string{".env": test.dotenv}
			maps.Copy(files, test.files)
			root, text, said, cfg := initialise(t, files, test.environ...)
			if len(cfg.Hooks) != 0 || !strings.Contains(text, test.line+"\n# [[hook]]\n") {
				t.Errorf("got\n%s", text)
			}
			if !strings.Contains(said, "commented out") || strings.Contains(text+said, secret) {
				t.Errorf("said\n%s\nwrote\n%s", said, text)
			}
			// The block is valid once its marks are off.
			open := regexp.MustCompile(`(?m)^# (\[\[hook\]\]|\w+ = .*)$`).ReplaceAllString(text[strings.Index(text, test.line):], "$1")
			cfg, err := config.Parse(config.File, "", root, []byte(open))
			if err != nil {
				t.Fatalf("%v\n%s", err, open)
			}
			test.hook.Migrates, test.hook.Then, test.hook.Line = true, config.ThenRebuild, cfg.Hooks[0].Line
			if !reflect.DeepEqual(cfg.Hooks, []config.Hook{test.hook}) {
				t.Errorf("got %+v, want %+v", cfg.Hooks, test.hook)
			}
		})
	}
}

func TestInitEverythingAtOnceHasDistinctNames(t *testing.T) {
	long := strings.Repeat("long/", 6) + strings.Repeat("x", 60)
	_, text, _, cfg := initialise(t, map[string]string{
		"go.mod": goMod, "cmd/app/main.go": "package main\n\nfunc main() {}\n", "sqlc.yaml": "", "db/sqlc.yaml": "", long + "/sqlc.yaml": "", long + "y/sqlc.yaml": "",
		"prisma/schema.prisma": "", "a.templ": "", "buf.gen.yaml": "", "x/x.go": "package x\n\n//go:generate y\n", "m/1.sql": "-- +goose Up\n",
	})
	if cfg.App.Package != "./cmd/app" || len(cfg.Hooks) != 8 {
		t.Errorf("got\n%s", text)
	}
}

func TestInitWithoutAProgramSaysWhy(t *testing.T) {
	_, text, _, cfg := initialise(t, map[string]string{"go.mod": goMod, "cmd/a/a.go": "package main\n\nfunc main() {}\n", "cmd/b/b.go": "package main\n\nfunc main() {}\n"})
	if cfg.App.Package != "" || !strings.Contains(text, "# several programs could be run: ./cmd/a, ./cmd/b") {
		t.Errorf("got\n%s", text)
	}
}

func TestInitNeverOverwrites(t *testing.T) {
	for _, link := range []bool{false, true} {
		root := tree(t, map[string]string{"x": ""})
		target := filepath.Join(root, config.File)
		if link { // dangling
			if err := os.Symlink("nowhere", target); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(target, []byte("mine"), 0o644); err != nil {
			t.Fatal(err)
		}
		var usage *UsageError
		if err := Init(new(strings.Builder), root, nil); !errors.As(err, &usage) || !strings.Contains(err.Error(), "exists already") {
			t.Errorf("got %v", err)
		}
		if data, _ := os.ReadFile(target); !link && string(data) != "mine" {
			t.Errorf("overwrote it with %q", data)
		}
	}
}

func TestInitStopsLookingSomewhere(t *testing.T) {
	root := tree(t, map[string]string{"a/1": "", "a/2": "", "b/sqlc.yaml": ""})
	for most, cut := range map[int]bool{4: true, 5: false} {
		if found, err := look(root, most); err != nil || found.cut != cut || (len(found.sqlc) == 0) != cut {
			t.Errorf("%d entries: cut %v, found %v, %v", most, found.cut, found.sqlc, err)
		}
	}
}

func FuzzSettings(f *testing.F) {
	for _, seed := range []string{"out: x", "- out: [a, 'b']\n", "out:\n  - a\n  - b: c\n", `{"out": ["a", {"out": "b"}]}`, "out: [", ":", "- -\n#"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		first, second := toolConfig(text, "out", "schema"), toolConfig(text, "out", "schema")
		if !reflect.DeepEqual(first, second) || len(first) != 2 {
			t.Errorf("%v, %v", first, second)
		}
	})
}
