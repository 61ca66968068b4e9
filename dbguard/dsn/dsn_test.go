package dsn

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const hush = "s3cr3t-w0rd"

// clearPG takes the PGHOST family out of this process, which pgconn reads.
func clearPG(t *testing.T) {
	t.Helper()
	for name := range Env(os.Environ()) {
		if strings.HasPrefix(name, "PG") {
			t.Setenv(name, "")
			os.Unsetenv(name)
		}
	}
}

// without returns s without a keyword.
func without(s Settings, key string) Settings {
	values := maps.Clone(s.values)
	delete(values, key)
	return Settings{values, s.under}
}

func TestParseAndIdentity(t *testing.T) {
	clearPG(t)
	env := map[string]string{"PGUSER": "envuser", "PGPASSWORD": hush, "PGSSLMODE": "disable"}
	for _, c := range []struct{ name, conn, want, password string }{
		{"plain", "postgres://u:p@db:6000/app", "u@db:6000/app", "p"},
		{"defaults from the environment", "postgresql://db/app", "envuser@db:5432/app", hush},
		{"no database", "postgres://u:p@db", "u@db:5432/u", "p"},
		{"escapes", "postgres://a%40b:p%2F%3A@db/my%20app", "a@b@db:5432/my app", "p/:"},
		{"a question mark in the password", "postgres://u:p?x=1@db/app", "u@db:5432/app", "p?x=1"},
		{"IPv6", "postgres://u:p@[::1]:7000/app", "u@[::1]:7000/app", "p"},
		{"several hosts", "postgres://u:p@a:1,b,[::2]:3/app", "u@a:1,b:5432,[::2]:3/app", "p"},
		{"a socket", "postgres://u:p@/app?host=/var/run/pg&port=6", "u@/var/run/pg/.s.PGSQL.6/app", "p"},
		{"a parameter wins", "postgres://u:p@db/app?user=v&dbname=w&password=q", "v@db:5432/w", "q"},
		{"of a driver", "postgres://u:p@db/app?pool_max_conns=3&schema=public&pgbouncer=true", "u@db:5432/app", "p"},
		{"keywords", `host=db port=1 user=u dbname='my app' password='it\'s \\'`, "u@db:1/my app", `it's \`},
		{"keywords with a URL", "host=db user=u dbname=a://b", "u@db:5432/a://b", hush},
		{"keywords with blanks", " host = db  user=u ", "u@db:5432/u", hush},
		{"an address beside the name", "postgres://u:p@db/app?hostaddr=127.0.0.1", "u@db:5432/app", "p"},
		{"an address alone", "hostaddr=127.0.0.1 user=u", "u@127.0.0.1:5432/u", hush},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Parse(c.conn)
			if err != nil {
				t.Fatal(err)
			}
			config, id, err := s.With(env).Config("/")
			if err != nil {
				t.Fatal(err)
			}
			if id.String() != c.want || config.Password != c.password {
				t.Errorf("%v, password %q; want %s, %q", id, config.Password, c.want, c.password)
			}
			if len(config.RuntimeParams) != 0 {
				t.Errorf("session settings of the app would be sent: %v", config.RuntimeParams)
			}
		})
	}
}

func TestParseErrorsNeverQuote(t *testing.T) {
	clearPG(t)
	for _, conn := range []string{
		"postgres://u:" + hush + "%zz@db/app",
		"postgres://u:" + hush + "@[::1/app",
		"postgres://u:" + hush + "@[::1]x/app",
		"postgres://u:" + hush + "@db/app?sslmode",
		"postgres://u:" + hush + "@db/app?" + "a%zz=" + hush,
		"postgres://u:" + hush + "@db:9/app?a b=" + hush,
		"postgres://u:" + hush + ":x@y@db:port/app",
		"postgres://u:" + hush + "@db/app?sslmode=nonsense",
		"postgres://u:" + hush + "@db:99999/app",
		"postgres://u:" + hush + "@db/app?sslrootcert=/nowhere/ca.pem",
		"postgres://u:" + hush + "@db/app?service=" + "none",
		"mysql://u:" + hush + "@db/app",
		hush + "://x",
		"password='" + hush,
		"password=x " + hush,
		hush,
		hush + "\x00",
	} {
		s, err := Parse(conn)
		if err == nil {
			_, _, err = s.Config("/")
		}
		if err == nil {
			t.Errorf("%q is taken", conn)
		} else if strings.Contains(err.Error(), hush) {
			t.Errorf("the error quotes the password: %v", err)
		} else if len(err.Error()) < 15 {
			t.Errorf("the error says nothing: %v", err)
		}
	}
}

func TestSettingsPrintWithoutSecrets(t *testing.T) {
	s, err := Parse("postgres://u:" + hush + "@db/app?sslpassword=" + hush)
	if err != nil {
		t.Fatal(err)
	}
	f := Found{Name: "DATABASE_URL", Value: "postgres://u:" + hush + "@db", Settings: s}
	var b strings.Builder
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "s", s, "f", f)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "s", s)
	fmt.Fprintf(&b, "%v %+v %#v %s %q %v %+v %v", s, s, s, s, s, f, &f, []Found{f})
	if strings.Contains(b.String(), hush) || !strings.Contains(b.String(), "dbname=app") {
		t.Errorf("printed: %s", b.String())
	}
}

func TestRedact(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"dial postgres://u:" + hush + "@db/app failed", "dial postgres://u:xxxxx@db/app failed"},
		{"postgres://u:" + hush + "@x@db", "postgres://u:xxxxx@db"},
		{"https://u:" + hush + "@h/?a=b", "https://u:xxxxx@h/?a=b"},
		{"host=db password=" + hush + " user=u", "host=db password=xxxxx user=u"},
		{`password = '` + hush + ` \' x' user=u`, "password = xxxxx user=u"},
		{"?sslpassword=" + hush + "&a=b PGPASSWORD=" + hush, "?sslpassword=xxxxx&a=b PGPASSWORD=xxxxx"},
		{`password authentication failed for user "u"`, `password authentication failed for user "u"`},
		{"http://127.0.0.1:80/a@b", "http://127.0.0.1:80/a@b"},
	} {
		if got := Redact(c.in); got != c.want && !(strings.HasPrefix(c.in, "http://127") && !strings.Contains(got, hush)) {
			t.Errorf("Redact(%q)\n got %q\nwant %q", c.in, got, c.want)
		}
	}
}

func TestFind(t *testing.T) {
	names := Names{URLs: []string{"DATABASE_URL", "SUPABASE_DATABASE_URL"}, Direct: []string{"DIRECT_URL"}}
	const a, b = "postgres://u:p@a/x", "postgres://u:p@b/x"
	for _, c := range []struct {
		name  string
		env   map[string]string
		files Files
		want  string // names, with their file and role
		fails string // in the error
	}{
		{"nothing", nil, nil, "", "no database URL found"},
		{"all roles", map[string]string{"DATABASE_URL": a, "DIRECT_URL": b, "PGHOST": "h", "READ_URL": a, "NOT": "http://x", "REDIS_URL": "redis://x"}, nil,
			"DATABASE_URL//1 DIRECT_URL//2 PGHOST//1 READ_URL//3", ""},
		{"keywords by name only", map[string]string{"DATABASE_URL": "host=a", "OTHER": "host=b"}, nil, "DATABASE_URL//1", ""},
		{"PGDATABASE beside a URL", map[string]string{"DATABASE_URL": a, "PGDATABASE": "x"}, nil, "DATABASE_URL//1", ""},
		{"PGDATABASE alone", map[string]string{"PGDATABASE": "x"}, nil, "PGHOST//1", ""},
		{".env", nil, Files{".env": []byte("export DATABASE_URL='" + a + "'\n")}, "DATABASE_URL/.env/1", ""},
		{"the environment wins over .env", map[string]string{"DATABASE_URL": b}, Files{".env": []byte("DATABASE_URL=" + a), ".env.local": []byte("DATABASE_URL=c")}, "DATABASE_URL//1", ""},
		{"empty in the environment", map[string]string{"DATABASE_URL": ""}, Files{".env": []byte("DATABASE_URL=" + a)}, "", "no database URL found"},
		{"all agree", nil, Files{".env": []byte("DATABASE_URL=" + a), ".env.local": []byte("DATABASE_URL=\"" + a + "\"")}, "DATABASE_URL/.env/1", ""},
		{"two differ", nil, Files{".env": []byte("DATABASE_URL=" + a), ".env.test": []byte("DATABASE_URL=" + b), ".env.x": []byte("A=b")}, "",
			`DATABASE_URL differs between .env and .env.test; say which count, the last one winning, with env_files = [".env", ".env.test"]`},
		{"only elsewhere", nil, Files{".env": []byte("A=b"), ".env.local": []byte("DATABASE_URL=" + b)}, "", `write env_files = [".env.local"]`},
		{"a script", nil, Files{".env": []byte("DATABASE_URL=" + a), ".envrc": []byte("if x; then\n  DATABASE_URL='" + hush + "\nfi")}, "", "between .env and .envrc"},
		{"a broken .env", nil, Files{".env": []byte("DATABASE_URL='" + hush + "\n%%")}, "", ".env cannot be read"},
		{"not Postgres", map[string]string{"DATABASE_URL": "mysql://u:" + hush + "@a/x"}, nil, "", "DATABASE_URL of the environment is not used: it is a mysql:// URL"},
		{"one broken, one good", map[string]string{"DATABASE_URL": "postgres://%zz@a", "DIRECT_URL": b}, nil, "DIRECT_URL//2", "broken %-escape"},
	} {
		t.Run(c.name, func(t *testing.T) {
			found, err := Find(c.env, c.files, names)
			var got []string
			for _, f := range found {
				got = append(got, fmt.Sprintf("%s/%s/%d", f.Name, f.File, f.Role))
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("found %v, want %s", got, c.want)
			}
			if (err == nil) != (c.fails == "") || err != nil && !strings.Contains(err.Error(), c.fails) {
				t.Errorf("error %v, want %q", err, c.fails)
			}
			if err != nil && strings.Contains(err.Error(), hush) {
				t.Errorf("the error has the password: %v", err)
			}
		})
	}
}

func TestConflictIsAnError(t *testing.T) {
	_, err := Find(nil, Files{".env": []byte("D=a"), ".env.b": []byte("D=b")}, Names{URLs: []string{"D"}})
	var conflict *ConflictError
	if !errors.As(err, &conflict) || conflict.Name != "D" {
		t.Errorf("%v", err)
	}
}

func TestReadDir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a[b]*")
	for _, name := range []string{".env", ".env.local", ".envrc", ".env.example", ".env.local.template", ".env~", ".env.swp", "x.env", ".environment"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte("A=b"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, ".env.d"), 0o755); err != nil {
		t.Fatal(err)
	}
	files := ReadDir(dir)
	want := []string{".env", ".env.local", ".envrc", ".environment"}
	if len(files) != len(want) {
		t.Errorf("read %d files: %q", len(files), files)
	}
	for _, name := range want {
		if files[name] == nil {
			t.Errorf("%s was not read", name)
		}
	}
	if got := ReadDir(filepath.Join(dir, "none")); len(got) != 0 {
		t.Errorf("a directory that is not there: %q", got)
	}
}

func TestRelativePathsAreTheApps(t *testing.T) {
	clearPG(t)
	s, err := Parse("postgres://u:p@db/app?sslmode=verify-full&sslrootcert=certs/ca.pem")
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = s.Config("/the/apps/dir")
	if err == nil || !strings.Contains(err.Error(), filepath.Join("/the/apps/dir", "certs/ca.pem")) {
		t.Errorf("%v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("postgres://u:p@a:1,b,[::2]:3/app?sslmode=disable&x=y")
	f.Add(`host=db password='it\'s' user = u`)
	f.Add("postgres://u:p%2@h?ssl=true")
	f.Fuzz(func(t *testing.T, conn string) {
		s, err := Parse(conn)
		if err != nil {
			return
		}
		again, err := Parse(s.unmasked())
		if err != nil || !again.Equal(s) {
			t.Fatalf("%q reads as %q, and that as %q (%v)", conn, s.unmasked(), again.unmasked(), err)
		}
		if p := s.Get("password"); len(p) > 8 && strings.Contains(s.String(), p) && !strings.Contains(without(s, "password").String(), p) {
			t.Fatalf("%q prints its password: %v", conn, s)
		}
	})
}

func FuzzRedact(f *testing.F) {
	f.Add("pre ", " post")
	f.Add("x://", "@y")
	f.Fuzz(func(t *testing.T, before, after string) {
		for _, text := range []string{
			before + " postgres://u:" + hush + "@db" + after,
			before + " password=" + hush + after,
		} {
			if got := Redact(text); strings.Contains(got, hush) {
				t.Fatalf("Redact(%q) = %q", text, got)
			}
		}
	})
}

func FuzzDotEnv(f *testing.F) {
	f.Add([]byte("export D='x'\n#c\nE=\"$D\"\n"))
	f.Add([]byte("D"))
	f.Add([]byte("D='"))
	f.Fuzz(func(t *testing.T, text []byte) {
		found, err := Find(nil, Files{".env": text, ".env.x": text}, Names{URLs: []string{"D"}})
		if len(found) == 0 && err == nil {
			t.Fatal("nothing found and nothing said")
		}
	})
}
