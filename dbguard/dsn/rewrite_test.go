package dsn

import (
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

const fresh = "0123456789abcdef0123456789abcdef"

// found returns value as Find would, with every PG* variable of the process,
// which pgconn reads too, as the environment.
func found(t testing.TB, value string) Found {
	t.Helper()
	s, err := Parse(value)
	if err != nil {
		t.Fatalf("%q: %v", value, err)
	}
	return Found{Name: "DATABASE_URL", Role: App, Value: value, Settings: s.With(Env(os.Environ()))}
}

func targetFor(id Identity) Target {
	return Target{Host: "127.0.0.1", Port: 40123, User: id.User, Password: fresh, Database: id.Database}
}

const (
	toURL      = "postgres://u:" + fresh + "@127.0.0.1:40123/app?sslmode=disable"
	toKeywords = "host=127.0.0.1 port=40123 user=u password=" + fresh + " dbname=app sslmode=disable"
)

// rewrites has every form. $F is a service file, $E the same as a parameter.
var rewrites = []struct {
	name, value string
	env         string // NAME=value, comma separated
	want        string
}{
	{"plain", "postgres://u:s3cr3t-w0rd@db:6000/app", "", toURL},
	{"scheme postgresql", "postgresql://u:s3cr3t-w0rd@db/app", "", strings.Replace(toURL, "postgres:", "postgresql:", 1)},
	{"blanks around", " \tpostgres://u:s3cr3t-w0rd@db/app\n", "", toURL},
	{"nothing but the scheme", "postgres://", "PGUSER=u,PGDATABASE=app,PGHOST=db", toURL},
	{"no database", "postgres://u:s3cr3t-w0rd@db", "", strings.Replace(toURL, "/app", "/u", 1)},
	{"empty user", "postgres://:s3cr3t-w0rd@db/app", "PGUSER=u", toURL},
	{"user from the environment", "postgres://db/app", "PGUSER=u,PGPASSWORD=s3cr3t-w0rd", toURL},
	{"user and password as parameters", "postgres://db/app?user=u&a=b&password=s3cr3t-w0rd", "", toURL + "&a=b"},
	{"parameters beside the parts", "postgres://v:w@db/x?user=u&password=s3cr3t-w0rd&dbname=app", "", toURL},
	{"database= of pgx", "postgres://u:s3cr3t-w0rd@db?database=app", "", toURL},
	{"password twice", "postgres://u@db/app?password=s3cr3t-w0rd-1&password=s3cr3t-w0rd", "", toURL},
	{"percent in user and password", "postgres://a%40b%3A:s3cr3t%2Fw0rd%25@db/app", "",
		strings.Replace(toURL, "u:", "a%40b%3A:", 1)},
	{"percent in the name of a parameter", "postgres://u@db/app?pass%77ord=s3cr3t-w0rd&%73slmode=require", "", toURL},
	{"database spelled its way", "postgres://u:s3cr3t-w0rd@db/my%20app,%2fx", "", strings.Replace(toURL, "/app", "/my%20app,%2fx", 1)},
	{"question mark and # in the password", "postgres://u:s3cr3t?#w0rd@db/app", "", toURL},
	{"# in a parameter", "postgres://u@db/app?application_name=a#b&sslmode=require", "", toURL + "&application_name=a#b"},
	{"socket as a parameter", "postgres://u@/app?host=/var/run/postgresql&port=6543", "", toURL},
	{"socket, percent-encoded", "postgres://u@%2Fvar%2Frun%2Fpostgresql:6543/app", "", toURL},
	{"socket, of Prisma", "postgresql://u:s3cr3t-w0rd@localhost/app?host=/tmp/.s", "", strings.Replace(toURL, "postgres:", "postgresql:", 1)},
	{"IPv6", "postgres://u:s3cr3t-w0rd@[2001:db8::1]:6000/app", "", toURL},
	{"IPv6 without a port", "postgres://u:s3cr3t-w0rd@[::1]/app", "", toURL},
	{"hosts", "postgres://u:s3cr3t-w0rd@a:1,[::2]:2,c/app?target_session_attrs=any&load_balance_hosts=disable", "", toURL},
	{"hosts as parameters", "postgres://u@/app?host=a,b&port=1,2", "", toURL},
	{"hostaddr", "postgres://u@db/app?hostaddr=10.0.0.1&x=y", "", toURL + "&x=y"},
	{"everything of TLS", "postgres://u@db/app?sslmode=require&sslnegotiation=postgres&sslsni=1&sslcertmode=allow&a=b&ssl_min_protocol_version=TLSv1.2&sslcrl=x&sslcompression=0", "", toURL + "&a=b"},
	{"the rest of the connection", "postgres://u@db/app?channel_binding=disable&require_auth=scram-sha-256&gssencmode=prefer&krbsrvname=p&gsslib=x&passfile=/none&requirepeer=x&oauth_issuer=i&scram_client_key=s3cr3t-w0rd&tcp_user_timeout=9", "", toURL},
	{"keepalives", "postgres://u@db/app?keepalives=1&keepalives_idle=9&keepalives_interval=8&keepalives_count=3", "", toURL},
	{"ssl=true", "postgres://u@db/app?ssl=true", "", toURL},
	{"what stays of libpq's", "postgres://u@db/app?connect_timeout=3&client_encoding=UTF8&application_name=a&fallback_application_name=b&min_protocol_version=3.0&replication=database", "",
		toURL + "&connect_timeout=3&client_encoding=UTF8&application_name=a&fallback_application_name=b&min_protocol_version=3.0&replication=database"},
	{"options", "postgres://u@db/app?options=-c%20search_path%3Da%2Cb%20-c%20x%3D10%25&z=1", "", toURL + "&options=-c%20search_path%3Da%2Cb%20-c%20x%3D10%25&z=1"},
	{"Prisma", "postgresql://u@db/app?schema=public&pgbouncer=true&connection_limit=1&sslmode=require", "",
		strings.Replace(toURL, "postgres:", "postgresql:", 1) + "&schema=public&pgbouncer=true&connection_limit=1"},
	{"pgxpool", "postgres://u@db/app?pool_max_conns=3&search_path=a&default_query_exec_mode=exec", "", toURL + "&pool_max_conns=3&search_path=a&default_query_exec_mode=exec"},
	{"server parameters that look like ours", "postgres://u@db/app?scram_iterations=1&tcp_keepalives_idle=3", "", toURL + "&scram_iterations=1&tcp_keepalives_idle=3"},
	{"a parameter again and again", "postgres://u@db/app?a=1&sslmode=allow&a=2&a=1", "", toURL + "&a=1&a=2&a=1"},
	{"spelling", "postgres://u@db/app?A=%41&b=+&c=%2f&d=", "", toURL + "&A=%41&b=+&c=%2f&d="},
	{"service", "postgres://?service=mine&a=c&$E", "", toURL + "&application_name=from%20file&options=-c%20work_mem%3D8MB%20-c%20a%3Db&a=c"},
	{"service below the value", "postgres://?application_name=own&service=mine&options=&$E", "", toURL + "&application_name=own&options="},
	{"service of the environment", "postgres://", "PGSERVICE=mine,PGSERVICEFILE=$F,PGUSER=nobody,PGAPPNAME=env",
		toURL + "&application_name=from%20file&options=-c%20work_mem%3D8MB%20-c%20a%3Db"},
	{"all of it in the environment", "postgres:///", "PGHOST=db,PGPORT=7,PGUSER=u,PGPASSWORD=s3cr3t-w0rd,PGDATABASE=app,PGSSLMODE=require,PGTARGETSESSIONATTRS=any", toURL},

	{"keywords", "host=db port=6000 user=u password=s3cr3t-w0rd dbname=app", "", toKeywords},
	{"keywords with quotes", `user = u  password = 's3cr3t\' w0rd'  application_name = 'a \'b\\ '  dbname='app' search_path=a,b`, "",
		toKeywords + ` application_name = 'a \'b\\ ' search_path=a,b`},
	{"keywords with backslashes", `user=u dbname=app application_name=a\ b options=-c\ a=b password=s3cr3t-w0rd\`, "",
		toKeywords + ` application_name=a\ b options=-c\ a=b`},
	{"a backslash at the end", `dbname=app user=u sslmode=require application_name=a\`, "", toKeywords + ` application_name=a\`},
	{"an escaped blank at the end", `dbname=app user=u application_name=a\ `, "", toKeywords + ` application_name=a\ `},
	{"keywords that need quotes", `user='a b\'c' dbname='my app'`, "",
		strings.NewReplacer("user=u", `user='a b\'c'`, "dbname=app", "dbname='my app'").Replace(toKeywords)},
	{"keywords of everything", "host=a,b hostaddr=10.0.0.1,10.0.0.2 port=1,2 user=u dbname=app sslmode=prefer gssencmode=disable keepalives=0 pool_max_conns=4 target_session_attrs=primary connect_timeout=2", "",
		toKeywords + " pool_max_conns=4 connect_timeout=2"},
	{"keywords, empty ones", "user='' host='' dbname=app pool_max_conns=''", "PGUSER=u,PGHOST=db", toKeywords + " pool_max_conns=''"},
	{"keywords over lines", "host=db\n\tuser=u\n\tdbname=app\n\ta=b\n", "", toKeywords + " a=b"},
	{"keywords with a service", "service=mine servicefile='$F' a=c", "", toKeywords + " application_name='from file' options='-c work_mem=8MB -c a=b' a=c"},
}

func TestRewrite(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "services")
	if err := os.WriteFile(file, []byte("# ours\n[other]\nhost=x\n\n[mine]\nhost=db\nuser=u\ndbname=app\npassword="+hush+
		"\nsslmode=require\noptions=-c work_mem=8MB -c a=b\napplication_name=from file\n[last]\nport=1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	paths := strings.NewReplacer("$F", file, "$E", "servicefile="+escape(file))
	for _, c := range rewrites {
		t.Run(c.name, func(t *testing.T) {
			clearPG(t)
			for one := range strings.SplitSeq(paths.Replace(c.env), ",") {
				if name, value, ok := strings.Cut(one, "="); ok {
					t.Setenv(name, value)
				}
			}
			f := found(t, paths.Replace(c.value))
			_, id, err := f.Settings.Config(dir)
			if err != nil {
				t.Fatal(err)
			}
			to := targetFor(id)
			got, err := f.Rewrite(to, dir)
			if err != nil {
				t.Fatal(err)
			}
			if got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
			leads(t, f.Value, got, to)
			again(t, got, to)
		})
	}
}

// leads checks with pgconn and with a second parser that got leads to t and to
// nothing else, and asks for the session that value asked for.
func leads(t testing.TB, value, got string, to Target) {
	t.Helper()
	was, err := pgconn.ParseConfig(trim(value))
	if err != nil {
		t.Fatalf("the original: %v", err)
	}
	is, err := pgconn.ParseConfig(got)
	if err != nil {
		t.Fatalf("%s: %v", got, err)
	}
	read := Target{is.Host, is.Port, is.User, is.Password, is.Database}
	if read != to || is.TLSConfig != nil || len(is.Fallbacks) != 0 || is.ValidateConnect != nil || is.RequireAuth != "" || is.ChannelBinding != "prefer" {
		t.Errorf("pgconn reads %#v, %d fallbacks; want %#v", read, len(is.Fallbacks), to)
	}
	if was.User != is.User || was.Database != "" && was.Database != is.Database || was.ConnectTimeout != is.ConnectTimeout {
		t.Errorf("pgconn reads %s/%s, before %s/%s", is.User, is.Database, was.User, was.Database)
	}
	maps.DeleteFunc(was.RuntimeParams, func(key, _ string) bool { return connects(keyword(key)) })
	if !maps.Equal(was.RuntimeParams, is.RuntimeParams) {
		t.Errorf("session settings %q, before %q", is.RuntimeParams, was.RuntimeParams)
	}
	if second := readSecond(t, got); second != to {
		t.Errorf("the second parser reads %#v; want %#v", second, to)
	}
}

// again checks that what was rewritten can be found and rewritten once more.
func again(t testing.TB, got string, to Target) {
	t.Helper()
	f := found(t, got)
	if twice, err := (Found{Value: got, Settings: without(f.Settings, "service")}).Rewrite(to, ""); err != nil || unescaped(twice) != unescaped(got) {
		t.Errorf("once more: %s, %v", twice, err)
	}
}

// unescaped is for comparing what may be spelled differently.
func unescaped(s string) string {
	if u, err := url.PathUnescape(s); err == nil {
		return u
	}
	return s
}

var keywordPair = regexp.MustCompile(`(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s'\\]|\\.?)*)`)

// readSecond reads a rewritten value by net/url, or by a regular expression,
// and fails when a name is there twice.
func readSecond(t testing.TB, got string) Target {
	t.Helper()
	values := map[string][]string{}
	if IsURL(got) {
		u, err := url.Parse(got)
		if err != nil {
			t.Fatalf("%s: %v", got, err)
		}
		password, _ := u.User.Password()
		values = u.Query()
		for key, v := range map[string]string{"host": u.Hostname(), "port": u.Port(), "user": u.User.Username(),
			"password": password, "dbname": strings.TrimPrefix(u.Path, "/")} {
			values[key] = append(values[key], v)
		}
	} else {
		unquote := strings.NewReplacer(`\\`, `\`, `\'`, `'`, `'`, ``)
		for _, m := range keywordPair.FindAllStringSubmatch(got, -1) {
			values[m[1]] = append(values[m[1]], unquote.Replace(m[2]))
		}
	}
	one := func(key string) string {
		if len(values[key]) != 1 {
			t.Errorf("%s holds %s %d times", got, key, len(values[key]))
			return ""
		}
		return values[key][0]
	}
	if one("sslmode") != "disable" {
		t.Errorf("%s: sslmode %q", got, values["sslmode"])
	}
	var port uint16
	if _, err := fmt.Sscan(one("port"), &port); err != nil {
		t.Errorf("%s: port: %v", got, err)
	}
	return Target{one("host"), port, one("user"), one("password"), one("dbname")}
}

func TestTargetPrintsWithoutItsPassword(t *testing.T) {
	to := Target{"::1", 1, "u", hush, "app"}
	if text := fmt.Sprintf("%v %+v %#v %s %q %v", to, to, to, to, to, &to); strings.Contains(text, hush) || !strings.Contains(text, "u@[::1]:1/app") {
		t.Errorf("printed: %s", text)
	}
}

func TestRewriteRefuses(t *testing.T) {
	for _, f := range []Found{{Name: "PGHOST"}, {Value: "user=u x"}, {Value: "postgres://u:" + hush + "@h/d?%zz=" + hush},
		{Value: "postgres://h", Settings: Settings{values: map[string]string{"service": "none", "servicefile": "none"}}}} {
		if got, err := f.Rewrite(Target{}, t.TempDir()); err == nil || strings.Contains(err.Error(), hush) {
			t.Errorf("%v becomes %q, %v", f, got, err)
		}
	}
}

func TestFamily(t *testing.T) {
	clearPG(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "s"), []byte("[mine]\nhost=db\nuser=u\ndbname=app\nsslmode=require\noptions=-c a=b\nconnect_timeout=3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"PGSERVICE": "mine", "PGSERVICEFILE": "s", "PGHOSTADDR": "127.0.0.9", "PGSSLROOTCERT": "x",
		"PGGSSENCMODE": "prefer", "PGOPTIONS": "-c c=d", "PGAPPNAME": "env", "PGCHANNELBINDING": "require", "PATH": "/bin"}
	s := Settings{}.With(env)
	set, err := s.Family(targetFor(Identity{Database: "app", User: "u"}), dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range Leaving() {
		delete(env, name)
	}
	maps.Copy(env, set)
	want := map[string]string{"PGHOST": "127.0.0.1", "PGPORT": "40123", "PGUSER": "u", "PGPASSWORD": fresh, "PGDATABASE": "app",
		"PGSSLMODE": "disable", "PGOPTIONS": "-c a=b", "PGAPPNAME": "env", "PGCONNECT_TIMEOUT": "3", "PATH": "/bin"}
	if !maps.Equal(env, want) {
		t.Errorf("\n got %q\nwant %q", env, want)
	}
}

func TestLeaving(t *testing.T) {
	got := Leaving()
	for _, name := range []string{"PGHOSTADDR", "PGSSLMODE", "PGSSLROOTCERT", "PGSSLCRL", "PGGSSENCMODE", "PGCHANNELBINDING", "PGREQUIREAUTH",
		"PGTARGETSESSIONATTRS", "PGSERVICE", "PGSERVICEFILE", "PGPASSFILE", "PGKRBSRVNAME", "PGLOADBALANCEHOSTS"} {
		if !slices.Contains(got, name) {
			t.Errorf("%s stays", name)
		}
	}
	for _, name := range []string{"PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGOPTIONS", "PGCONNECT_TIMEOUT", "PGAPPNAME"} {
		if slices.Contains(got, name) {
			t.Errorf("%s leaves", name)
		}
	}
}

func FuzzRewrite(f *testing.F) {
	for _, seed := range []string{
		"postgres://u:p4ssw0rd@a:1,b,[::2]:3/app?sslmode=disable&x=y", "postgresql://:p4ssw0rd@/x%20y?host=%2Ftmp&user=u&%64bname=z",
		`host=db password='p4ss\'w0rd' user = u application_name=a\ `, "postgres://u:p4ss?w0rd@h?ssl=true&options=-c%20a%3Db#&a=1",
		"postgres:// u @ h : 1 / d ? a = b & sslmode = prefer ", "user=u a='' a=b host=", "postgres://u@h/d?service=&keepalives=1&database=x",
	} {
		f.Add(seed)
	}
	for _, c := range rewrites {
		f.Add(c.value)
	}
	for name := range Env(os.Environ()) {
		if strings.HasPrefix(name, "PG") {
			os.Unsetenv(name)
		}
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, value string) {
		was, err := pgconn.ParseConfig(trim(value))
		if err != nil || was.User == "" { // an empty one hides the default; no server takes it
			return
		}
		s, err := Parse(value)
		if err != nil {
			return // stricter than pgconn is allowed
		}
		if value == "" || s.Get("service") != "" {
			return // nothing there, or it reads files
		}
		_, id, err := s.Config(dir)
		if err != nil {
			return // hostaddr, keepalives
		}
		if was.User != id.User || was.Database != "" && was.Database != id.Database {
			t.Fatalf("%q is %v, and for pgconn %s/%s", value, id, was.User, was.Database)
		}
		got, err := Found{Value: value, Settings: s}.Rewrite(targetFor(id), dir)
		if err != nil {
			t.Fatalf("%q: %v", value, err)
		}
		is, err := pgconn.ParseConfig(got)
		if err != nil {
			t.Fatalf("%q becomes %q: %v", value, got, err)
		}
		if read := (Target{is.Host, is.Port, is.User, is.Password, is.Database}); read != targetFor(id) || is.TLSConfig != nil || len(is.Fallbacks) != 0 {
			t.Fatalf("%q becomes %q, which pgconn reads as %#v", value, got, read)
		}
		maps.DeleteFunc(was.RuntimeParams, func(key, _ string) bool { return connects(keyword(key)) })
		if !maps.Equal(was.RuntimeParams, is.RuntimeParams) {
			t.Fatalf("%q becomes %q: session settings %q, before %q", value, got, is.RuntimeParams, was.RuntimeParams)
		}
		if p := was.Password; len(p) > 5 && strings.Contains(got, p) && !strings.Contains(without(s, "password").unmasked()+fresh+got[:4], p) {
			t.Fatalf("%q becomes %q: the password is still there", value, got)
		}
	})
}
