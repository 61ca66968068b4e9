package guard

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/devguard/devguard/dbguard/pgtest"
)

func TestAppEnv(t *testing.T) {
	s, dev := server(t)
	url := s.URL(dev)
	t.Run("label and options", func(t *testing.T) {
		g, _ := open(t, Options{Env: []string{"DATABASE_URL=" + url}})
		settle(t, g)
		env := appEnv(t, g, 12, "A=b", "DATABASE_URL="+url, "PGOPTIONS=-c statement_timeout=5s", "A=c")
		want := "A=c DATABASE_URL=" + url + " PGOPTIONS=" + connectionCheck + " -c statement_timeout=5s PGAPPNAME=devguard:" + runA + ":12"
		if strings.Join(env, " ") != want {
			t.Errorf("got  %v\nwant %s", env, want)
		}
		if v, _ := get(env, "PGAPPNAME"); len(label(runA, 1<<40)) > 63 || len(v) > 63 {
			t.Error("the label does not fit")
		}
	})
	t.Run("the user's own name stays", func(t *testing.T) {
		g, _ := open(t, Options{})
		if v, _ := get(appEnv(t, g, 1, "DATABASE_URL="+url, "PGAPPNAME="), "PGAPPNAME"); v != "" {
			t.Errorf("PGAPPNAME=%s", v)
		}
	})
	t.Run("the start never waits for the probe", func(t *testing.T) {
		g, _ := open(t, Options{})
		env, err := g.AppEnv(t.Context(), 1, []string{"DATABASE_URL=" + url})
		if _, has := get(env, "PGOPTIONS"); has || err != nil {
			t.Errorf("%v, %v", env, err)
		}
	})
	t.Run("an unknown URL beside it", func(t *testing.T) {
		g, _ := open(t, Options{})
		base := []string{"DATABASE_URL=" + url, "READ_URL=postgres://u:" + password + "@127.0.0.1:1/x"}
		appEnv(t, g, 1, base...)
		if _, has := get(appEnv(t, g, 2, base...), "PGOPTIONS"); has {
			t.Error("a server that nobody looked at would get options")
		}
	})
	t.Run("another database of the same server beside it", func(t *testing.T) {
		g, _ := open(t, Options{})
		base := []string{"DATABASE_URL=" + url, "TEST_URL=" + s.URL(pgtest.Conn{User: "dev", Database: "test"})}
		appEnv(t, g, 1, base...)
		if _, has := get(appEnv(t, g, 2, base...), "PGOPTIONS"); !has {
			t.Error("the same server is known to take options")
		}
	})
}

func TestAppEnvWithoutADatabase(t *testing.T) {
	s, dev := server(t)
	url := s.URL(dev)
	t.Run("off and nothing", func(t *testing.T) {
		for _, c := range []struct{ mode, env, reason string }{
			{"off", "DATABASE_URL=" + url, "switched off"},
			{"auto", "X=y", "no database URL found"},
			{"", "DATABASE_URL=mysql://u:" + password + "@h/x", "a mysql:// URL"},
			{"", "DATABASE_URL=postgres://u:" + password + "@h/x?sslmode=bogus", "sslmode"},
		} {
			g, log := open(t, Options{Databases: []Database{{Mode: c.mode}}})
			appEnv(t, g, 1, c.env)
			env := appEnv(t, g, 2, c.env)
			if len(env) != 1 || env[0] != c.env {
				t.Errorf("%v", env)
			}
			lines := log.lines(t, "database")
			if len(lines) != 1 || lines[0]["mode"] != "off" || !strings.Contains(lines[0]["reason"].(string), c.reason) {
				t.Errorf("%s: %v", c.env, lines)
			}
			g.RecordSockets(2, []int{os.Getpid()})
			g.Drain(t.Context(), 2)
			if n := len(log.lines(t, "drained")); n != 0 {
				t.Errorf("%d drained lines", n)
			}
		}
	})
	t.Run(".env is for devguard alone", func(t *testing.T) {
		dir := t.TempDir()
		writeFile(t, dir, ".env", "DATABASE_URL="+url)
		g, log := open(t, Options{Dir: dir})
		env := appEnv(t, g, 1)
		if _, has := get(env, "DATABASE_URL"); has {
			t.Errorf("%v", env)
		}
		if _, has := get(env, "PGAPPNAME"); !has || log.last(t, "database")["kind"] != "postgres" {
			t.Errorf("%v\n%s", env, log.text())
		}
		writeFile(t, dir, ".env.local", "DATABASE_URL=postgres://u:"+password+"@127.0.0.1:1/other")
		if env := appEnv(t, g, 2); len(env) != 0 {
			t.Errorf("the files differ, and yet: %v", env)
		}
		if reason := log.last(t, "database")["reason"].(string); !strings.Contains(reason, `env_files = [".env", ".env.local"]`) {
			t.Error(reason)
		}
	})
}

func writeFile(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestHookEnv(t *testing.T) {
	s, dev := server(t)
	bouncer := pgtest.PgBouncer(t, s, pgtest.Pool{})
	url, pooled := s.URL(dev), bouncer.URL(dev)
	for _, c := range []struct {
		name     string
		base     []string
		file     string
		migrates bool
		url      string
		options  string
	}{
		{"an ordinary hook", []string{"DATABASE_URL=" + pooled, "DIRECT_URL=" + url}, "", false, pooled, ""},
		{"a migration", []string{"DATABASE_URL=" + pooled, "DIRECT_URL=" + url, "PGOPTIONS=-c x.y=1"}, "", true, url, lockTimeout + " -c x.y=1"},
		{"a migration of a direct server", []string{"DATABASE_URL=" + url}, "", true, url, lockTimeout},
		{"a migration through a pooler", []string{"DATABASE_URL=" + pooled}, "", true, pooled, ""},
		{"with .env", nil, "DATABASE_URL=" + pooled + "\nDIRECT_URL=" + url, true, url, lockTimeout},
		{"a server that is down", []string{"DATABASE_URL=postgres://u:p@127.0.0.1:1/x"}, "", true, "postgres://u:p@127.0.0.1:1/x", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			writeFile(t, dir, ".env", c.file)
			g, _ := open(t, Options{Dir: dir})
			env, err := g.HookEnv(t.Context(), c.base, c.migrates)
			if err != nil {
				t.Fatal(err)
			}
			if v, _ := get(env, "DATABASE_URL"); v != c.url {
				t.Errorf("DATABASE_URL=%s, want %s", v, c.url)
			}
			if v, _ := get(env, "PGOPTIONS"); v != c.options {
				t.Errorf("PGOPTIONS=%s, want %s", v, c.options)
			}
			if _, has := get(env, "PGAPPNAME"); has {
				t.Error("a hook has the app's label")
			}
		})
	}
}

// A direct URL does not take the place of a host.
func TestHookEnvOfAHostVariable(t *testing.T) {
	s, dev := server(t)
	g, _ := open(t, Options{Databases: []Database{{URLEnv: []string{"DB_HOST"}}}})
	env, err := g.HookEnv(t.Context(), []string{"DB_HOST=127.0.0.1", "DIRECT_URL=" + s.URL(dev)}, true)
	if v, _ := get(env, "DB_HOST"); err != nil || v != "127.0.0.1" {
		t.Errorf("DB_HOST=%s, %v", v, err)
	}
}

func TestEmbedded(t *testing.T) {
	s, dev := server(t)
	url := s.URL(dev)
	released := false
	start := func(_ context.Context, project string) (string, func(context.Context) error, error) {
		return url, func(context.Context) error { released = true; return nil }, nil
	}
	g, log := open(t, Options{Project: "/p", Embedded: start, Databases: []Database{{Embedded: true}}})
	base := []string{"DATABASE_URL=postgres://u:" + password + "@elsewhere/x", "PGHOST=elsewhere", "PGSSLMODE=require", "PGOPTIONS=-c a.b=1", "X=y"}
	env := appEnv(t, g, 1, base...)
	for name, want := range map[string]string{
		"DATABASE_URL": url, "SUPABASE_DATABASE_URL": url, "DIRECT_URL": url, "PGHOST": s.Host, "PGUSER": "dev", "PGPASSWORD": password,
		"PGDATABASE": "app", "PGSSLMODE": "disable", "PGOPTIONS": "-c a.b=1", "X": "y",
	} {
		if v, _ := get(env, name); v != want {
			t.Errorf("%s=%s, want %s", name, v, want)
		}
	}
	if reason := log.lines(t, "database")[0]["reason"].(string); !strings.Contains(reason, "in place of DATABASE_URL, PGHOST, PGSSLMODE of the environment") {
		t.Error(reason)
	}
	hook, err := g.HookEnv(t.Context(), base, true)
	if err != nil {
		t.Fatal(err)
	}
	if v, _ := get(hook, "PGOPTIONS"); v != lockTimeout+" -c a.b=1" {
		t.Errorf("PGOPTIONS=%s", v)
	}
	a := startApp(t, env, "query")
	g.RecordSockets(1, []int{a.pid()})
	a.kill()
	g.Drain(t.Context(), 1)
	if line := log.last(t, "drained"); number(line, "terminated") != 1 || len(log.lines(t, "drained")) != 1 {
		t.Errorf("drained: %v", line)
	}
	if err := g.Close(t.Context()); err != nil || !released {
		t.Errorf("released %v, %v", released, err)
	}
}

func TestEmbeddedThatFails(t *testing.T) {
	start := func(context.Context, string) (string, func(context.Context) error, error) {
		return "", nil, errors.New("no binaries")
	}
	g, _ := open(t, Options{Embedded: start, Databases: []Database{{Embedded: true}}})
	if _, err := g.AppEnv(t.Context(), 1, nil); err == nil || err.Error() != "start the embedded database: no binaries" {
		t.Errorf("%v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, o := range []Options{
		{}, {RunID: "x"}, {RunID: runA, Previous: []string{"%"}},
		{RunID: runA, Databases: []Database{{Mode: "sesion"}}},
		{RunID: runA, Databases: []Database{{Embedded: true}}},
	} {
		if g, err := Open(t.Context(), o); err == nil {
			t.Errorf("%+v is taken", o)
			g.Close(t.Context())
		}
	}
}

func FuzzEnviron(f *testing.F) {
	f.Add("A=b\x00C=\x00=C:=x\x00A=c")
	f.Add("\x00novalue")
	f.Fuzz(func(t *testing.T, text string) {
		pairs := strings.Split(text, "\x00")
		e := environment(pairs)
		e.set("NEW", "1")
		e.prepend("PGOPTIONS", "-c a=b")
		for _, pair := range pairs {
			name, _, ok := strings.Cut(pair, "=")
			if ok && name != "" && !e.has(name) {
				t.Fatalf("%q lost %q: %q", pairs, name, e.list)
			}
		}
		if v := e.get("PGOPTIONS"); !strings.HasPrefix(v, "-c a=b") {
			t.Fatalf("PGOPTIONS=%q", v)
		}
	})
}
