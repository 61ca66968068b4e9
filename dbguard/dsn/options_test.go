package dsn

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestUnsupported(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "s"), []byte("[mine]\nhost=db\nsslcrl=x\nkeepalives=1\nsearch_path=a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		value string
		env   map[string]string
		want  string
	}{
		{"postgres://u:p@db/app", nil, ""},
		{"postgres://db/app?hostaddr=1.2.3.4&sslmode=verify-full&sslrootcert=x&sslcert=x&sslkey=x&sslpassword=x&sslcertmode=allow&sslsni=0&sslnegotiation=direct&sslcompression=1", nil, ""},
		{"postgres://db/app?channel_binding=require&require_auth=md5&target_session_attrs=primary&passfile=x&keepalives=0&keepalives_idle=1&keepalives_interval=1&keepalives_count=1", nil, ""},
		{"postgres://db/app?connect_timeout=1&client_encoding=x&options=x&application_name=x&fallback_application_name=x&replication=1&min_protocol_version=3.2&max_protocol_version=latest", nil, ""},
		{"postgres://db/app?pool_max_conns=1&schema=a&pgbouncer=true&search_path=a&uselibpqcompat=true&scram_iterations=5", nil, ""},
		{"postgres://db/app?gssencmode=disable&load_balance_hosts=disable&tcp_user_timeout=0&gssdelegation=0&ssl=false", nil, ""},
		{"postgres://db/app?gssencmode=prefer&ssl=true", nil, ""},
		{"postgres://db/app?gssencmode=require&ssl_min_protocol_version=TLSv1.3&ssl_max_protocol_version=TLSv1.3", nil, "gssencmode ssl_max_protocol_version ssl_min_protocol_version"},
		{"postgres://db/app?sslcrl=a&sslcrldir=b&requirepeer=c&krbsrvname=d&gsslib=e&gssdelegation=1", nil, "gssdelegation gsslib krbsrvname requirepeer sslcrl sslcrldir"},
		{"postgres://db/app?scram_client_key=a&scram_server_key=b&load_balance_hosts=random&tcp_user_timeout=5", nil, "load_balance_hosts scram_client_key scram_server_key tcp_user_timeout"},
		{"postgres://db/app?sslkeylogfile=a&oauth_issuer=a&oauth_client_id=b&oauth_client_secret=c&oauth_scope=d", nil, "oauth_client_id oauth_client_secret oauth_issuer oauth_scope sslkeylogfile"},
		{"postgres://db/app?sslaccept=strict&sslidentity=x", nil, "sslaccept sslidentity"},
		{"host=db sslinline=true ssl=verify-full krbspn=x", nil, "krbspn ssl sslinline"},
		{"postgres://db/app", map[string]string{"PGGSSENCMODE": "require", "PGSSLCRL": "x", "PGSSLMODE": "require", "PGKRBSRVNAME": "x"}, "gssencmode krbsrvname sslcrl"},
		{"service=mine servicefile=s", nil, "sslcrl"},
		{"postgres://", map[string]string{"PGSERVICE": "mine", "PGSERVICEFILE": "s", "PGREQUIREPEER": "x"}, "requirepeer sslcrl"},
		{"service=none servicefile=s", nil, ""},
	} {
		s, err := Parse(c.value)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(s.With(c.env).Unsupported(dir), " "); got != c.want {
			t.Errorf("%s: %q, want %q", c.value, got, c.want)
		}
	}
}

func TestHostaddr(t *testing.T) {
	clearPG(t)
	for _, c := range []struct{ name, value, host, lookups, fails string }{
		{"with a host", "host=db hostaddr=10.0.0.1", "db", "10.0.0.1", ""},
		{"alone", "hostaddr=10.0.0.1", "10.0.0.1", "10.0.0.1", ""},
		{"IPv6", "host=db hostaddr=::1 port=7", "db", "[::1]:7", ""},
		{"beside a socket", "host=/tmp hostaddr=10.0.0.1", "10.0.0.1", "10.0.0.1", ""},
		{"lists", "host=a,b hostaddr=10.0.0.1,10.0.0.2", "a", "10.0.0.1 10.0.0.2", ""},
		{"lists with holes", "host=a,,c hostaddr=10.0.0.1,10.0.0.2,127.0.0.1 port=1,,3", "a", "10.0.0.1:1 10.0.0.2 127.0.0.1:3", ""},
		{"one name twice", "host=a,a hostaddr=10.0.0.1,::2 port=1,2", "a", "10.0.0.1:1 [::2]:2", ""},
		{"no match", "host=a,b hostaddr=10.0.0.1", "", "", "2 host names to 1 hostaddr"},
		{"a name", "hostaddr=localhost", "", "", "not an IP address"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Parse(c.value + " sslmode=verify-full user=u")
			if err != nil {
				t.Fatal(err)
			}
			config, id, err := s.Config("/")
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) {
					t.Fatalf("%v, want %q", err, c.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			hosts := []string{config.Host}
			for _, f := range config.Fallbacks {
				if !slices.Contains(hosts, f.Host) {
					hosts = append(hosts, f.Host)
				}
			}
			var lookups []string
			for _, h := range hosts {
				to, err := config.LookupFunc(t.Context(), h)
				if err != nil {
					t.Fatal(err)
				}
				lookups = append(lookups, to...)
			}
			if got := strings.Join(lookups, " "); config.Host != c.host || got != c.lookups || config.TLSConfig.ServerName != c.host && net.ParseIP(c.host) == nil {
				t.Errorf("host %s, TLS for %s, dialled %s; want %s, %s", config.Host, config.TLSConfig.ServerName, got, c.host, c.lookups)
			}
			if id.route != s.Get("hostaddr") {
				t.Errorf("route %q", id.route)
			}
		})
	}
}

func TestIdentityOfRoutes(t *testing.T) {
	clearPG(t)
	const hosts = "postgres://u:p@a,b/app"
	seen := map[Identity]bool{}
	for _, value := range []string{hosts, hosts + "?target_session_attrs=any", hosts + "?target_session_attrs=primary", hosts + "?target_session_attrs=standby",
		hosts + "?hostaddr=10.0.0.1,10.0.0.2", hosts + "?sslmode=require&pool_max_conns=3"} {
		s, err := Parse(value)
		if err != nil {
			t.Fatal(err)
		}
		_, id, err := s.Config("/")
		if err != nil {
			t.Fatal(err)
		}
		seen[id] = true
	}
	if len(seen) != 4 {
		t.Errorf("upstreams: %v", seen)
	}
}

func TestKeepAlive(t *testing.T) {
	for _, c := range []struct {
		value string
		want  *net.KeepAliveConfig
		fails bool
	}{
		{"host=db", nil, false},
		{"keepalives=1", &net.KeepAliveConfig{Enable: true, Idle: -1, Interval: -1, Count: -1}, false},
		{"keepalives=0", &net.KeepAliveConfig{Idle: -1, Interval: -1, Count: -1}, false},
		{"keepalives_idle=30 keepalives_interval=0 keepalives_count=4", &net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: -1, Count: 4}, false},
		{"keepalives_idle=soon", nil, true},
		{"keepalives_count=99999999999", nil, true},
	} {
		s, err := Parse(c.value)
		if err != nil {
			t.Fatal(err)
		}
		got, err := keepAlive(s.values)
		if (err != nil) != c.fails || (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
			t.Errorf("%s: %+v, %v", c.value, got, err)
		}
	}
}

func TestConfigSendsNoSessionSettings(t *testing.T) {
	clearPG(t)
	t.Setenv("PGAPPNAME", "x")
	t.Setenv("PGTZ", "UTC")
	const all = "postgres://u:p@db/app?search_path=a&pool_max_conns=3&schema=b&application_name=c&replication=database&client_encoding=x" +
		"&sslcrl=x&gssencmode=require&tcp_user_timeout=1&keepalives=1&options="
	for _, c := range []struct{ options, want string }{
		{"", ""},
		{"-c search_path=a -cwork_mem=8MB", ""},
		{`-c search_path=a\ b,c  reference=tenant`, "reference=tenant"},
		{"endpoint=ep-1", "endpoint=ep-1"},
		{"--cluster=c-1 -c a=b", "--cluster=c-1"},
		{"-c", ""},
	} {
		s, err := Parse(all + strings.ReplaceAll(c.options, "=", "%3D"))
		if err != nil {
			t.Fatal(err)
		}
		config, _, err := s.Config("/")
		if err != nil {
			t.Fatal(err)
		}
		got := config.RuntimeParams["options"]
		delete(config.RuntimeParams, "options")
		if got != c.want || len(config.RuntimeParams) != 0 {
			t.Errorf("options %q leave %q and %q", c.options, got, config.RuntimeParams)
		}
	}
}

func TestSSLTrueDoesNotWeaken(t *testing.T) {
	for value, want := range map[string]string{
		"postgres://db/app?ssl=true":                     "require",
		"postgres://db/app?ssl=true&sslmode=verify-full": "verify-full",
		"postgres://db/app?sslmode=disable&ssl=true":     "require",
		"host=db sslmode=verify-full":                    "verify-full",
	} {
		if s, err := Parse(value); err != nil || s.Get("sslmode") != want {
			t.Errorf("%s: %v, %v", value, s, err)
		}
	}
}

func TestServiceFile(t *testing.T) {
	clearPG(t)
	dir := t.TempDir()
	const text = "# a comment\n[one]\nhost = from-file\nport=7000\ndbname=filedb\npassword=" + hush + "\n\n[two]\nhost=x\n[one]\nhost=second\n[bad]\n" + hush + "\n"
	if err := os.WriteFile(filepath.Join(dir, "s.conf"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"PGSERVICEFILE": "s.conf", "PGUSER": "envuser", "PGPORT": "1", "PGDATABASE": "envdb"}
	for _, c := range []struct{ value, want string }{
		{"service=one", "envuser@from-file:7000/filedb"},
		{"postgres://own@/?service=one&port=9", "own@from-file:9/filedb"},
		{"service=two", "envuser@x:1/envdb"},
		{"service=none", "it has no such service"},
		{"service=bad", "not keyword=value"},
		{"service=one servicefile=gone", "service file cannot be read"},
	} {
		s, err := Parse(c.value)
		if err != nil {
			t.Fatal(err)
		}
		_, id, err := s.With(env).Config(dir)
		if err == nil && id.String() != c.want || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v", c.value, id, err)
		}
		if err != nil && strings.Contains(err.Error(), hush) {
			t.Errorf("the error quotes the file: %v", err)
		}
	}
}

func TestKeysOfScramAreSecret(t *testing.T) {
	s, err := Parse("postgres://u@db/app?scram_client_key=" + hush)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{s.String(), s.Scrub("it was " + hush), Redact("?scram_server_key=" + hush)} {
		if strings.Contains(text, hush) {
			t.Errorf("printed: %s", text)
		}
	}
}

func FuzzService(f *testing.F) {
	f.Add([]byte("# c\n[a]\nhost = x\nservice=b\n\n[b]\nport=1"), "a")
	f.Add([]byte("[a]\n"+hush), "a")
	f.Fuzz(func(t *testing.T, text []byte, name string) {
		values, err := parseService(text, name)
		if (values == nil) == (err == nil) || values["service"] != "" {
			t.Fatalf("%q: %q, %v", text, values, err)
		}
		if err != nil && strings.Contains(err.Error(), hush) {
			t.Fatalf("the error quotes the file: %v", err)
		}
	})
}
