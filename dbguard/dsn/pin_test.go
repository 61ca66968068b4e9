package dsn

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestPin(t *testing.T) {
	dir := t.TempDir()
	services := filepath.Join(dir, "services")
	if err := os.WriteFile(services, []byte("[mine]\nhost=db\ndbname=app\nsslmode=require\noptions=-c a=b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "pass"), []byte("db:5432:app:u:from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	family := targetFor(Identity{Database: "other", User: "w"})
	for _, c := range []struct {
		name, value, env string
		set              bool // the PGHOST set is rewritten, too
		want             string
	}{
		{"nothing concerns it", "postgres://u:p@db/app?a=b", "PGOPTIONS=-c a=b,PGCONNECT_TIMEOUT=3", false, "postgres://u:p@db/app?a=b"},
		{"TLS of the environment", "postgres://u:p@db/app?a=b", "PGSSLMODE=verify-ca,PGSSLSNI=0", false, "postgres://u:p@db/app?sslmode=verify-ca&sslsni=0&a=b"},
		{"its own wins", "postgres://u:p@db/app?sslmode=require", "PGSSLMODE=disable,PGCHANNELBINDING=disable", false, "postgres://u:p@db/app?channel_binding=disable&sslmode=require"},
		{"an empty one", "postgres://u:p@db/app?sslmode=&a=b", "PGSSLMODE=require", false, "postgres://u:p@db/app?sslmode=require&a=b"},
		{"the rest of the family", "postgres://u:p@db/app", "PGREQUIREAUTH=md5,PGTARGETSESSIONATTRS=primary,PGGSSENCMODE=disable,PGPASSFILE=a b,PGHOSTADDR=10.0.0.1", false,
			"postgres://u:p@db/app?gssencmode=disable&hostaddr=10.0.0.1&passfile=a%20b&require_auth=md5&target_session_attrs=primary"},
		{"keywords", `host=db user=u dbname=app a='b c'`, "PGSSLMODE=require,PGPASSFILE=a b", false, `passfile='a b' sslmode=require host=db user=u dbname=app a='b c'`},
		{"a service of the environment", "postgres:///?a=b", "PGUSER=u,PGSERVICE=mine,PGSERVICEFILE=" + services, false,
			"postgres:///app?host=db&options=-c%20a%3Db&sslmode=require&a=b"},
		{"a service of its own", "service=mine user=v", "PGSSLMODE=disable,PGSERVICEFILE=" + services, false, "dbname=app host=db options='-c a=b' sslmode=require user=v"},
		{"beside the set: what it gave", "postgres:///", "PGHOST=db,PGPORT=7,PGUSER=u,PGPASSWORD=p,PGDATABASE=app,PGSSLMODE=require", true,
			"postgres:///app?host=db&password=p&port=7&sslmode=require&user=u"},
		{"beside the set: what was open", "postgres://u@db/app", "PGPASSFILE=" + filepath.Join(dir, "pass"), true,
			"postgres://u@db/app?password=from-file&port=5432&sslmode=prefer&passfile=" + escape(filepath.Join(dir, "pass"))},
		{"beside the set: nothing open", "postgres://u:p@db:1/app?sslmode=allow", "PGHOST=x", true, "postgres://u:p@db:1/app?sslmode=allow"},
	} {
		t.Run(c.name, func(t *testing.T) {
			clearPG(t)
			before := map[string]string{}
			for one := range strings.SplitSeq(c.env, ",") {
				if name, value, ok := strings.Cut(one, "="); ok {
					before[name] = value
				}
			}
			after := maps.Clone(before)
			for _, name := range Leaving() {
				delete(after, name)
			}
			if c.set {
				set, err := Settings{}.Family(family, dir)
				if err != nil {
					t.Fatal(err)
				}
				maps.Copy(after, set)
			}
			f := Found{Value: c.value}
			got, err := f.Pin(before, after, dir)
			if err != nil || got != c.want {
				t.Fatalf("%v\n got %s\nwant %s", err, got, c.want)
			}
			if was, is := reads(t, c.value, before), reads(t, got, after); was != is {
				t.Errorf("meant %s, means %s", was, is)
			}
		})
	}
}

// reads returns what pgconn makes of value in env.
func reads(t *testing.T, value string, env map[string]string) string {
	t.Helper()
	clearPG(t)
	for name, v := range env {
		t.Setenv(name, v)
	}
	c, err := pgconn.ParseConfig(value)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString(identity(c, Settings{}).String() + " " + c.Password + " " + c.RuntimeParams["options"] + " " + c.ChannelBinding + " " + c.RequireAuth)
	if c.TLSConfig != nil {
		b.WriteString(" TLS " + c.TLSConfig.ServerName)
	}
	return b.String()
}

func TestPinRefuses(t *testing.T) {
	for _, value := range []string{"postgres://%zz@h", "service=none"} {
		if got, err := (Found{Value: value}).Pin(nil, map[string]string{"PGSSLMODE": "disable"}, t.TempDir()); err == nil {
			t.Errorf("%s becomes %s", value, got)
		}
	}
}

// FuzzPin gives a value an environment that then leaves.
func FuzzPin(f *testing.F) {
	f.Add("postgres://u@db/app?a=b", "verify-ca", "md5")
	f.Add(`host=db application_name=a\ `, "require", "none")
	f.Add("postgres://?sslmode=&ssl=true#", "allow", "")
	for _, c := range rewrites {
		f.Add(c.value, "require", "")
	}
	for name := range Env(os.Environ()) {
		if strings.HasPrefix(name, "PG") {
			os.Unsetenv(name)
		}
	}
	f.Fuzz(func(t *testing.T, value, mode, auth string) {
		own, err := Parse(value)
		if err != nil || own.Get("service") != "" || strings.Contains(mode+auth, "\x00") {
			return
		}
		before := map[string]string{"PGSSLMODE": mode, "PGREQUIREAUTH": auth, "PGPASSWORD": hush}
		got, err := Found{Value: value}.Pin(before, map[string]string{"PGPASSWORD": fresh, "PGSSLMODE": "disable"}, "")
		if err != nil {
			return // not usable before either
		}
		pinned, err := Parse(got)
		want := own.With(before)
		if mode == "" && own.Get("sslmode") == "" {
			want.values["sslmode"] = "prefer"
		}
		if err != nil || !pinned.Equal(want) {
			t.Fatalf("%q becomes %q: %v, want %v (%v)", value, got, pinned, want, err)
		}
	})
}
