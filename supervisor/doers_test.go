package supervisor

import (
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/devguard/devguard/supervisor/classify"
	"github.com/devguard/devguard/supervisor/config"
	"github.com/devguard/devguard/supervisor/reload"
	"github.com/devguard/devguard/supervisor/statedir"
)

func TestWithSetsEachVariableOnce(t *testing.T) {
	env := []string{"PWD=/a", "A=1", "PWDX=2", "DEVGUARD=0", "=C:=x"}
	got := with(env, "DEVGUARD=1", "PWD=/b")
	if want := []string{"A=1", "PWDX=2", "=C:=x", "DEVGUARD=1", "PWD=/b"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if env[0] != "PWD=/a" || env[4] != "=C:=x" {
		t.Errorf("it changed its argument: %q", env)
	}
}

// A package that cannot be listed has no graph, and is built all the same: the
// go command says what is wrong.
func TestBuildWithoutAGraph(t *testing.T) {
	st, err := statedir.Open(t.TempDir(), "app")
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	cfg := config.Default(t.TempDir())
	cfg.Name = "app"
	s := &Supervisor{Options: Options{StateDir: st}, cfg: cfg}
	if s.build(reload.Build{ID: 1, Gen: 1}) == nil {
		t.Error("nothing to do")
	}
}

// The databases of earlier configurations are closed, and not the one in force.
func TestRetiredDatabases(t *testing.T) {
	closed := make(chan string, 3)
	database := func(name string) *Database {
		return &Database{Close: func() error { closed <- name; return nil }}
	}
	s := &Supervisor{cfg: &config.Config{}, db: database("one")}
	s.applyConfig(s.cfg, database("two"))
	s.applyConfig(s.cfg, database("three"))
	s.applyConfig(s.cfg, s.db)
	for i := range s.retired {
		s.closeRetired(reload.CloseRetired{ID: reload.ID(i)})(t.Context())
	}
	close(closed)
	var got []string
	for name := range closed {
		got = append(got, name)
	}
	if !slices.Equal(got, []string{"one", "two"}) || len(s.retired) > 0 {
		t.Errorf("closed %q, %d wait", got, len(s.retired))
	}
}

func TestKeysThatAreReadAtTheStart(t *testing.T) {
	old := config.Default("/w")
	old.Name, old.App.Package = "app", "./cmd/app"
	now := *old
	now.App.Package, now.Name = "./cmd/other", "other" // the default name of it
	if keys := startKeys(old, &now); len(keys) > 0 {
		t.Errorf("another package: %q", keys)
	}
	now = *old
	now.Name, now.Verbose, now.App.Stdin, now.LogFormat = "b", true, true, "json"
	now.Watch.Poll = config.Poll{Mode: config.PollOff}
	want := []string{"name", "log_format", "verbose", "app.stdin", "watch.poll"}
	if keys := startKeys(old, &now); !slices.Equal(keys, want) {
		t.Errorf("got %q", keys)
	}
}

func TestSameButStart(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*config.Config)
		want   bool
	}{
		"nothing":              {func(*config.Config) {}, false},
		"the front":            {func(c *config.Config) { c.Front.Listen = "127.0.0.1:8081" }, true},
		"poll, above hooks":    {func(c *config.Config) { c.Watch.Poll.Mode, c.Hooks[0].Line = config.PollOff, 9 }, true},
		"the front, and args":  {func(c *config.Config) { c.Front.Hold, c.App.Args = 1, []string{"-x"} }, false},
		"args":                 {func(c *config.Config) { c.App.Args = []string{"-x"} }, false},
		"the front and a hook": {func(c *config.Config) { c.Front.Hold, c.Hooks[0].Shell = 1, "false" }, false},
	} {
		old := config.Default("/w")
		old.Hooks = []config.Hook{{Name: "gen", Shell: "true", Line: 5}}
		now := *old
		now.Hooks = slices.Clone(old.Hooks)
		c.change(&now)
		if got := sameButStart(old, &now); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestAChangedFrontSaysWhatToDo: it is not changed by a save, and the warning has the way.
func TestAChangedFrontSaysWhatToDo(t *testing.T) {
	var log strings.Builder
	old := config.Default("/w")
	now := *old
	now.Front.Listen = "127.0.0.1:8081"
	s := &Supervisor{Options: Options{Log: slog.New(slog.NewTextHandler(&log, nil))}, cfg: old}
	s.applyConfig(&now, nil)
	if got := log.String(); !strings.Contains(got, "not changed now: front") || !strings.Contains(got, "stop devguard and start it again") {
		t.Errorf("said %q", got)
	}
	if s.cfg.Front.Listen != "" {
		t.Errorf("the front is taken to be at %s", s.cfg.Front.Listen)
	}
}

// Without a configuration watch.include is about the module, wherever in it
// devguard was started.
func TestRulesOfAModule(t *testing.T) {
	cfg := config.Default("/m/cmd/app")
	g := &classify.Graph{Package: "m/cmd/app", Dirs: map[string]classify.Dir{"/m/cmd/app": {Package: "m/cmd/app"}}, MainDir: "/m/cmd/app", Roots: []string{"/m", "/lib"}}
	for path, want := range map[string]bool{"/m/web/a.html": true, "/m/cmd/app/a.html": true, "/lib/a.html": false} {
		if got := Rules(cfg, g).Classify(path); got.Runtime != want {
			t.Errorf("%s: %+v", path, got)
		}
	}
	cfg.Path = "/m/cmd/app/devguard.toml"
	if got := Rules(cfg, g).Classify("/m/web/a.html"); got.Runtime {
		t.Errorf("outside the configuration's directory: %+v", got)
	}
}

// A migration is one for all devguards of a project that have the same database, and
// another one for those that have not.
func TestMigrationsOfOtherDatabases(t *testing.T) {
	cfg := config.Default("/w")
	hook := config.Hook{Name: "migrate", Shell: "migrate", Migrates: true}
	key := func(env ...string) string { return hookKey(cfg, hook, env) }
	one := key("DATABASE_URL=postgres://me:old@db:5432/one")
	if one != key("PORT=1", "DATABASE_URL=postgres://me:new@db:5432/one?sslmode=disable") {
		t.Error("another password is another database")
	}
	for _, other := range []string{
		"DATABASE_URL=postgres://me:old@db:5432/two", "DATABASE_URL=postgres://me:old@other:5432/one", "PGDATABASE=two",
		"DIRECT_URL=postgres://me@db:5433/one", "DATABASE_URL=host=db dbname=two",
	} {
		if key("DATABASE_URL=postgres://me:old@db:5432/one", other) == one {
			t.Errorf("with %s it is the same", other)
		}
	}
	hook.Migrates = false
	if key("DATABASE_URL=postgres://me@db:5432/one") != key("DATABASE_URL=postgres://me@db:5432/two") {
		t.Error("what generates files is the same for all databases")
	}
}
