package e2e_test

import (
	"io"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/devguard/devguard/dbguard/pgtest"
)

// geheim is the password of every role here. It must be in nothing that is printed.
const geheim = "geheim-Pa55wort"

// doctorOf runs it with the variables, and looks whether a password is printed.
func doctorOf(t *testing.T, dir string, env ...string) diagnosis {
	t.Helper()
	d := doctor(t, dir, env)
	if strings.Contains(d.text, geheim) {
		t.Errorf("a password is printed:\n%s", d.text)
	}
	return d
}

// TestDoctorOfUnreachable: why a server cannot be used, each by the real thing.
func TestDoctorOfUnreachable(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgtest.SSL())
	s.CreateRole(t, "dev", geheim, "")
	s.CreateRole(t, "full", geheim, "connection limit 0")
	dev := func(host string, c pgtest.Conn) string {
		c.User, c.Password = "dev", geheim
		return strings.Replace(s.URL(c), s.Host+":"+strconv.Itoa(s.Port), host, 1)
	}
	at := s.Host + ":" + strconv.Itoa(s.Port)
	for name, c := range map[string]struct{ url, says, fix string }{
		"nothing listens":  {dev("127.0.0.1:"+freePort(t), pgtest.Conn{}), "nothing listens there", "start the server, or correct host and port in DATABASE_URL"},
		"host":             {dev("database.invalid", pgtest.Conn{}), `the host "database.invalid" is not known`, "correct the host in DATABASE_URL"},
		"silence":          {dev(silentServer(t), pgtest.Conn{}), "no answer in time", "VPN"},
		"certificate":      {dev(at, pgtest.Conn{Params: "sslmode=verify-full"}), "its certificate is not accepted", "sslrootcert=FILE"},
		"settings":         {dev(at, pgtest.Conn{Params: "sslmode=perhaps"}), "not usable", "correct DATABASE_URL"},
		"password":         {strings.Replace(dev(at, pgtest.Conn{}), geheim, "wrong", 1), "password authentication failed", "correct user and password in DATABASE_URL"},
		"no such database": {dev(at, pgtest.Conn{Database: "nowhere"}), `database "nowhere" does not exist`, "create the database"},
		"full":             {s.URL(pgtest.Conn{User: "full"}), "(53300)", "max_connections"},
		"no TLS":           {dev(answering(t, "N"), pgtest.Conn{Params: "sslmode=require"}), "server refused TLS connection", "take sslmode out of DATABASE_URL"},
		"cut off":          {dev(serving(t, func(net.Conn) {}), pgtest.Conn{}), "DATABASE_URL", "psql"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := project(t, map[string]string{"main.go": idleMain})
			if fix := doctorOf(t, dir, "DATABASE_URL="+c.url).line("problem", "database", c.says); !strings.Contains(fix, c.fix) {
				t.Errorf("fix: %s", fix)
			}
		})
	}
	t.Run("a login that only the app may know", func(t *testing.T) {
		t.Parallel()
		dir := project(t, map[string]string{"main.go": idleMain})
		d := doctorOf(t, dir, "DATABASE_URL="+dev(answering(t, "R\x00\x00\x00\x08\x00\x00\x00\x09"), pgtest.Conn{})) // SSPI
		if fix := d.line("warning", "database", "devguard cannot log in as the app perhaps can"); !strings.Contains(fix, `mode = "drain"`) {
			t.Errorf("fix: %s", fix)
		}
	})
}

// silentServer accepts connections and says nothing.
func silentServer(t *testing.T) string { return answering(t, "") }

// answering is a server that says the same to everybody, whatever they ask.
func answering(t *testing.T, what string) string {
	t.Helper()
	return serving(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 1024))
		_, _ = io.WriteString(c, what)
		_, _ = io.Copy(io.Discard, c)
	})
}

func serving(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); serve(c) }()
		}
	}()
	return l.Addr().String()
}

// distant is a way to a server whose answers take a while.
func distant(t *testing.T, to string, wait time.Duration) string {
	t.Helper()
	return serving(t, func(c net.Conn) {
		up, err := net.Dial("tcp", to)
		if err != nil {
			return
		}
		defer up.Close()
		go func() { _, _ = io.Copy(up, c); up.Close() }()
		for b := make([]byte, 64<<10); ; {
			n, err := up.Read(b)
			<-time.After(wait)
			if _, failed := c.Write(b[:n]); err != nil || failed != nil {
				return
			}
		}
	})
}

// withDatabase runs it with a devguard.toml and a DATABASE_URL.
func withDatabase(t *testing.T, toml, url string, env ...string) diagnosis {
	t.Helper()
	dir := project(t, map[string]string{"main.go": idleMain, "devguard.toml": toml})
	return doctorOf(t, dir, append(env, "DATABASE_URL="+url)...)
}

func ofMode(name string) string { return "[[database]]\nmode = '" + name + "'\n" }

// TestDoctorOfDatabase: a server that answers, and what is worse than it could be.
func TestDoctorOfDatabase(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgtest.SSL())
	s.CreateRole(t, "dev", geheim, "")
	s.CreateRole(t, "single", geheim, "connection limit 1")
	s.CreateDB(t, "app", "dev")
	dev := pgtest.Conn{User: "dev", Database: "app"}
	name := "dev@127.0.0.1:" + strconv.Itoa(s.Port) + "/app"
	t.Run("direct", func(t *testing.T) {
		d := withDatabase(t, "", s.URL(dev))
		d.line("ok", "database", "DATABASE_URL: "+name+" answers: PostgreSQL "+strconv.Itoa(s.Version))
		d.line("ok", "database.mode", "mode session, postgres")
		d.line("ok", "database.rights", "may end its own sessions (tried)")
		d.line("ok", "database.tls", "without TLS, on this machine")
		if d.Problems+d.Warnings > 0 {
			t.Errorf("%s", d.text)
		}
		if n := s.Query(t, "select count(*) from pg_stat_activity where usename = 'dev'")[0][0]; n != "0" {
			t.Errorf("%s sessions are left", n)
		}
	})
	t.Run("TLS, two variables, and one by the by", func(t *testing.T) {
		tls := dev
		tls.Params = "sslmode=require"
		d := withDatabase(t, "", s.URL(tls), "DIRECT_URL="+s.URL(tls), "OTHER_URL="+s.URL(pgtest.Conn{User: "dev"}))
		d.line("ok", "database", "DATABASE_URL, DIRECT_URL: "+name)
		d.line("ok", "database.tls", "reached with TLS 1.3")
		d.line("ok", "database", "OTHER_URL: dev@127.0.0.1:"+strconv.Itoa(s.Port)+"/postgres is led through devguard when the app connects; it was not asked")
	})
	t.Run("off", func(t *testing.T) {
		withDatabase(t, ofMode("off"), s.URL(dev)).line("ok", "database", "mode off, as configured")
	})
	t.Run("a setting that devguard cannot honour", func(t *testing.T) {
		odd := dev
		odd.Params = "sslcrl=/nowhere"
		d := withDatabase(t, "", s.URL(odd))
		if fix := d.line("warning", "database.mode", "mode drain, postgres: sslcrl of DATABASE_URL"); !strings.Contains(fix, "take that setting out of DATABASE_URL") {
			t.Errorf("fix: %s", fix)
		}
	})
	t.Run("far away", func(t *testing.T) {
		url := strings.Replace(s.URL(dev), s.Host+":"+strconv.Itoa(s.Port), distant(t, s.Host+":"+strconv.Itoa(s.Port), 60*time.Millisecond), 1)
		withDatabase(t, "", url).line("warning", "database.latency", "a restart takes several")
	})
	t.Run("one session", func(t *testing.T) {
		fix := withDatabase(t, "", s.URL(pgtest.Conn{User: "single", Database: "app"})).line("warning", "database.rights", "no second session")
		_, sql, _ := strings.Cut(fix, "of the role: ")
		s.Exec(t, strings.Replace(sql, "NAME", "single", 1))
		withDatabase(t, "", s.URL(pgtest.Conn{User: "single", Database: "app"})).none("database.rights")
	})
}

// TestDoctorOfPoolers: which kind they are, and what is worse than it could be.
func TestDoctorOfPoolers(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t)
	s.CreateRole(t, "dev", geheim, "")
	s.CreateDB(t, "app", "dev")
	dev := pgtest.Conn{User: "dev", Database: "app"}
	transactions := pgtest.PgBouncer(t, s, pgtest.Pool{Mode: "transaction"})
	sessions := pgtest.PgBouncer(t, s, pgtest.Pool{Mode: "session"})
	t.Run("transaction pooler", func(t *testing.T) {
		d := withDatabase(t, "", transactions.URL(dev))
		d.line("ok", "database.mode", "mode transaction, transaction-pooler")
		d.none("database.rights")
	})
	t.Run("its sessions, mode session", func(t *testing.T) {
		if fix := withDatabase(t, ofMode("session"), transactions.URL(dev)).line("warning", "database.mode", "42P05"); fix != `write mode = "auto" under [[database]]` {
			t.Errorf("fix: %s", fix)
		}
	})
	t.Run("session pooler, mode drain", func(t *testing.T) {
		withDatabase(t, "", sessions.URL(dev)).line("ok", "database.mode", "mode session, session-pooler")
		withDatabase(t, ofMode("drain"), sessions.URL(dev)).line("warning", "database.mode", "terminates none there")
	})
	t.Run("a hook migrates through it", func(t *testing.T) {
		const hook = "[[hook]]\nname = 'm'\nwatch = ['*.sql']\nrun = 'true'\nmigrates = true\n"
		if fix := withDatabase(t, hook, transactions.URL(dev)).line("warning", "database.mode", "hooks that migrate go through a transaction pooler"); fix != "set DIRECT_URL to the URL of the server itself" {
			t.Errorf("fix: %s", fix)
		}
		withDatabase(t, hook, transactions.URL(dev), "DIRECT_URL="+s.URL(dev)).none("database.mode")
	})
	t.Run("a pooler whose only server is in use", func(t *testing.T) {
		one := pgtest.PgBouncer(t, s, pgtest.Pool{Mode: "session", Size: 1, Settings: map[string]string{"max_client_conn": "1"}})
		if fix := withDatabase(t, "", one.URL(dev)).line("warning", "database.mode", "mode transaction, unknown"); !strings.Contains(fix, "default_pool_size") {
			t.Errorf("fix: %s", fix)
		}
	})
}

// TestDoctorOfRights: what an owner has taken from everybody. The fix is what gives it back.
func TestDoctorOfRights(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t)
	s.CreateRole(t, "dev", geheim, "")
	dir := project(t, map[string]string{"main.go": idleMain})
	url := "DATABASE_URL=" + s.URL(pgtest.Conn{User: "dev"})
	s.Exec(t, "revoke execute on function pg_catalog.pg_terminate_backend from public")
	fix := doctorOf(t, dir, url).line("warning", "database.rights", "permission denied for function pg_terminate_backend")
	_, sql, _ := strings.Cut(fix, "run: ")
	s.Exec(t, sql)
	doctorOf(t, dir, url).line("ok", "database.rights", "(tried)")
	s.Exec(t, "revoke select on pg_catalog.pg_stat_activity from public")
	if fix := doctorOf(t, dir, url).line("problem", "database", "permission denied for view pg_stat_activity"); !strings.Contains(fix, "grant that") {
		t.Errorf("fix: %s", fix)
	}
	s.Exec(t, "grant select on pg_catalog.pg_stat_activity to public")
	if d := doctorOf(t, dir, url); d.Problems+d.Warnings > 0 {
		t.Errorf("%s", d.text)
	}
}

// TestDoctorOfVariables: those that hold an address and are not led through devguard. What is typed
// leads them, or it is said that nothing can.
func TestDoctorOfVariables(t *testing.T) {
	t.Parallel()
	nobody := "postgres://dev:" + geheim + "@127.0.0.1:" + freePort(t) + "/app"
	toml := func(t *testing.T, dir, table, line string) {
		write(t, filepath.Join(dir, "devguard.toml"), table+"\n"+line+"\n")
	}
	between := func(fix string) string {
		_, line, _ := strings.Cut(fix, "write ")
		line, _, _ = strings.Cut(line, " under ")
		return line
	}
	for name, c := range map[string]struct {
		files, env []string
		says       string
		fixed      func(t *testing.T, dir, fix string) (env []string) // nil: nothing can be typed
	}{
		"files differ": {
			files: []string{".env", "DATABASE_URL=" + nobody, ".env.local", "DATABASE_URL=" + nobody + "2"}, says: "DATABASE_URL differs between .env and .env.local",
			fixed: func(t *testing.T, dir, fix string) []string { toml(t, dir, "[app]", between(fix)); return nil },
		},
		"read by the app itself": {
			files: []string{".env", "REPORTS_URL=" + nobody}, says: "REPORTS_URL of .env holds the address of a database and goes past devguard",
			fixed: func(t *testing.T, dir, fix string) []string { toml(t, dir, "[app]", between(fix)); return nil },
		},
		"of which database": {
			env: []string{"DB_HOST=127.0.0.1", "DB_PORT=9", "DB_USER=dev", "DB_PASSWORD=" + geheim}, says: "DB_HOST names a database, perhaps not of Postgres",
			fixed: func(t *testing.T, dir, fix string) []string { toml(t, dir, "[[database]]", between(fix)); return nil },
		},
		"a part is missing": {
			env: []string{"PGX_DB_HOST=127.0.0.1", "PGX_DB_PORT=5432", "PGX_DB_USER=dev"}, says: "because there is no variable PGX_DB_PASSWORD",
			fixed: func(t *testing.T, _, fix string) []string {
				_, variable, _ := strings.Cut(fix, "set ")
				variable, _, _ = strings.Cut(variable, ",")
				return []string{variable + "=" + geheim}
			},
		},
		"another driver's": {env: []string{"REPORTS_DSN=jdbc:postgresql://127.0.0.1/app?password=" + geheim}, says: "REPORTS_DSN of the environment holds the address of a Postgres in a form"},
		"SQLAlchemy's":     {files: []string{".env", "ALEMBIC=postgresql+asyncpg://dev:" + geheim + "@h/app"}, says: "ALEMBIC of .env holds the address of a Postgres in a form"},
		"Npgsql's":         {env: []string{"CONN=Host=127.0.0.1;Database=app;Password=" + geheim}, says: "CONN of the environment holds the address of a Postgres in a form"},
		"no URL":           {env: []string{"DATABASE_URL=mysql://dev:" + geheim + "@h/app"}, says: "DATABASE_URL of the environment is not used: it is a mysql:// URL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := project(t, map[string]string{"main.go": idleMain})
			for i := 0; i < len(c.files); i += 2 {
				write(t, filepath.Join(dir, c.files[i]), c.files[i+1]+"\n")
			}
			fix := doctorOf(t, dir, c.env...).line("warning", "variable", c.says)
			if c.fixed == nil {
				return
			}
			env := append(c.env, c.fixed(t, dir, fix)...)
			d := doctorOf(t, dir, env...)
			d.none("variable", "configuration")
			if !strings.Contains(d.text, `"check":"database"`) {
				t.Errorf("%q has not led it through devguard:\n%s", fix, d.text)
			}
		})
	}
}
